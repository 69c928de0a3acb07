"""A trading partner's business calendar: which hours count when we wait for it (requirements R-132, R-153, R-155, R-178).

Instants go in and come out in UTC; days and hours are those of the partner's zone. A span of a day is measured between real instants, so that the day
on which clocks change has its real length (23 or 25 hours when every hour counts) and no hour is counted twice or lost. Without anything said, every
hour of every day counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_SEARCH_DAYS = 3660
DAY = timedelta(days=1)
NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Working days, holidays and hours in a zone; `opens` and `closes` are minutes after midnight, 0 and 1440 for the whole day."""

    zone: tzinfo = UTC
    days: frozenset[str] = frozenset(WEEKDAYS)
    holidays: frozenset[date] = frozenset()
    opens: int = 0
    closes: int = 1440

    def works_on(self, day: date) -> bool:
        """Whether the partner works on a day."""
        return WEEKDAYS[day.weekday()] in self.days and day not in self.holidays

    def span(self, day: date) -> tuple[datetime, datetime]:
        """When a day's business begins and ends, as instants."""
        return self._instant(day, self.opens), self._instant(day, self.closes)

    def _instant(self, day: date, minutes: int) -> datetime:
        days, rest = divmod(minutes, 1440)
        local = datetime.combine(day + DAY * days, time(rest // 60, rest % 60), tzinfo=self.zone)
        return local.astimezone(UTC)

    def _spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The business spans from an instant on, the first cut off at it."""
        first = start.astimezone(self.zone).date()
        for offset in range(LONGEST_SEARCH_DAYS):
            day = first + DAY * offset
            if self.works_on(day):
                opens, closes = self.span(day)
                if closes > start:
                    yield max(opens, start), closes

    def after(self, start: datetime, hours: float) -> datetime:
        """The instant at which so many business hours have passed since `start`; the start itself when none are asked for."""
        left = timedelta(hours=hours)
        if left <= NOTHING:
            return start
        for opens, closes in self._spans(start):
            if closes - opens >= left:
                return opens + left
            left -= closes - opens
        return start + timedelta(hours=hours)  # a calendar without a working day: plain hours

    def hours_between(self, start: datetime, end: datetime) -> float:
        """Business hours from one instant to another; 0 when the end is not later."""
        total = NOTHING
        for opens, closes in self._spans(start):
            if opens >= end:
                break
            total += min(closes, end) - opens
        return total.total_seconds() / 3600

    def days_between(self, start: datetime, end: datetime) -> int:
        """Whole business days that have passed: the working days after the day of `start`, up to the day of `end`."""
        first, last = start.astimezone(self.zone).date(), end.astimezone(self.zone).date()
        return sum(1 for n in range(1, (last - first).days + 1) if self.works_on(first + DAY * n))
