"""The `[calendar]` part of a partner's profile: when it works, and how often it usually writes."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, field_validator

from gateway.domain.calendar import WEEKDAYS, Calendar

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def known_zone(value: str) -> str:
    """A time zone's name as it is; ValueError with an example when there is none of that name."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as fault:
        raise ValueError(f'{value!r} is no time zone; write one like "America/New_York"') from fault
    return value


class CalendarPart(BaseModel):
    """A partner's business calendar; nothing said means that every hour of every day counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: str = "UTC"
    working_days: tuple[Weekday, ...] = WEEKDAYS  # type: ignore[assignment]  # the same seven words
    holidays: tuple[date, ...] = ()
    hours: str = "00:00-24:00"
    quiet_after_hours: float = 72.0

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

    @field_validator("hours")
    @classmethod
    def _readable(cls, value: str) -> str:
        opens, closes = minutes_of(value)
        if not 0 <= opens < closes <= 1440:
            raise ValueError(f'{value!r} does not begin before it ends; write hours like "08:00-17:30"')
        return value

    @property
    def business(self) -> Calendar:
        """The calendar to count with."""
        opens, closes = minutes_of(self.hours)
        return Calendar(zone=ZoneInfo(self.zone), days=frozenset(self.working_days), holidays=frozenset(self.holidays), opens=opens, closes=closes)


def minutes_of(text: str) -> tuple[int, int]:
    """Minutes after midnight of both ends of `08:00-17:30`."""
    found = re.fullmatch(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", text.replace(" ", ""))
    if found is None:
        raise ValueError(f'{text!r} are no hours; write them like "08:00-17:30"')
    first, first_rest, last, last_rest = (int(part) for part in found.groups())
    return first * 60 + first_rest, last * 60 + last_rest
