"""A business calendar, also over the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.calendar import Calendar

NEW_YORK = ZoneInfo("America/New_York")
OFFICE = Calendar(
    zone=NEW_YORK, days=frozenset({"mon", "tue", "wed", "thu", "fri"}), holidays=frozenset({date(2026, 11, 26)}), opens=9 * 60, closes=17 * 60
)
ALWAYS = Calendar(zone=NEW_YORK)


def local(text: str) -> datetime:
    """An instant by the clock of New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-23T10:00", 4, "2026-11-23T14:00"),  # within a day
        ("2026-11-23T16:00", 2, "2026-11-24T10:00"),  # over a night
        ("2026-11-23T20:00", 1, "2026-11-24T10:00"),  # begun after hours
        ("2026-11-25T16:00", 2, "2026-11-27T10:00"),  # over a holiday
        ("2026-11-27T16:00", 2, "2026-11-30T10:00"),  # over a weekend
        ("2026-11-23T09:00", 24, "2026-11-25T17:00"),  # 24 business hours are three days
        ("2026-11-23T10:00", 0, "2026-11-23T10:00"),
    ],
)
def test_it_counts_business_hours(start: str, hours: float, end: str) -> None:
    assert OFFICE.after(local(start), hours) == local(end)
    assert OFFICE.hours_between(local(start), local(end)) == hours


@pytest.mark.parametrize(("day", "length"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-02", 24)])
def test_it_knows_that_a_day_of_a_clock_change_is_shorter_or_longer(day: str, length: int) -> None:
    start = local(f"{day}T00:00")
    assert ALWAYS.hours_between(start, start + timedelta(days=3)) == 72
    opens, closes = ALWAYS.span(date.fromisoformat(day))
    assert (closes - opens).total_seconds() / 3600 == length


def test_it_waits_a_real_day_over_a_clock_change_when_every_hour_counts() -> None:
    start = local("2026-10-31T12:00")
    assert ALWAYS.after(start, 24) == start + timedelta(hours=24)


def test_it_keeps_office_hours_by_the_wall_clock_over_a_clock_change() -> None:
    assert OFFICE.after(local("2026-10-30T16:00"), 2) == local("2026-11-02T10:00")


def test_it_counts_whole_business_days() -> None:
    assert OFFICE.days_between(local("2026-11-25T12:00"), local("2026-11-30T12:00")) == 2
    assert ALWAYS.days_between(local("2026-11-25T12:00"), local("2026-11-28T00:10")) == 3
    assert OFFICE.days_between(local("2026-11-25T12:00"), local("2026-11-20T12:00")) == 0


def test_it_falls_back_to_plain_hours_when_no_day_is_worked() -> None:
    start = local("2026-11-25T12:00")
    assert Calendar(days=frozenset()).after(start, 5) == start + timedelta(hours=5)


@given(
    start=st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC)),
    hours=st.floats(min_value=0.1, max_value=200),
)
def test_it_agrees_with_itself(start: datetime, hours: float) -> None:
    end = OFFICE.after(start, hours)
    assert OFFICE.hours_between(start, end) == pytest.approx(hours, abs=1e-6)
    assert end >= start
