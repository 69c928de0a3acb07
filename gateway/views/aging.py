"""What stands still for too long: every step of a return's life with its limits, as rows for screens, mails and reports (requirements R-153).

`STEPS` is the whole table: how the rows of a step are found, after how long they are amber, and after how long red.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain.calendar import Calendar
from gateway.domain.documents import ZERO
from gateway.store import database, standing

Rows = list[dict[str, Any]]
RED_AFTER = 3.0  # times the limit, for steps with one limit only


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """After how long a return that does not move is shown."""

    amber_days: float = 14.0
    red_days: float = 28.0
    not_sent_hours: float = 24.0
    carrier_days: int = 3
    undecided_hours: float = 24.0
    unconfirmed_hours: float = 24.0
    refund_hours: float = 72.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its rows, and its two limits in hours."""

    find: Callable[[Connection, datetime], Rows]
    amber: Callable[[Limits], float]
    red: Callable[[Limits], float]


def _one(limit: Callable[[Limits], float], find: Callable[[Connection, datetime], Rows]) -> Step:
    return Step(find=find, amber=limit, red=lambda limits: limit(limits) * RED_AFTER)


STEPS: dict[str, Step] = {
    "not transmitted": _one(lambda limits: limits.not_sent_hours, standing.not_transmitted),
    "not acknowledged": Step(find=standing.not_acknowledged, amber=lambda _: 0.0, red=lambda _: 48.0),
    "not received": Step(find=standing.not_received, amber=lambda limits: limits.amber_days * 24, red=lambda limits: limits.red_days * 24),
    "delivered, not received": Step(find=standing.delivered_not_received, amber=lambda _: 0.0, red=lambda _: 0.0),
    "received, not decided": _one(lambda limits: limits.undecided_hours, standing.not_decided),
    "decided, not confirmed": _one(lambda limits: limits.unconfirmed_hours, standing.not_confirmed),
    "flagged, not reviewed": Step(find=standing.in_review, amber=lambda limits: limits.amber_days * 24, red=lambda limits: limits.red_days * 24),
    "confirmed, refund not imported": _one(lambda limits: limits.refund_hours, standing.refund_missing),
}
BY_CALENDAR = "delivered, not received"


def find_aging(connection: Connection, *, limits: Limits, calendars: Mapping[str, Calendar], now: datetime) -> Rows:
    """Every RA that stands still for too long: step, RA, RMA, partner, since, days, level (amber or red), value."""
    found: Rows = []
    for name, step in STEPS.items():
        for row in step.find(connection, now - timedelta(hours=step.amber(limits))):
            since = database.moment(row["since"])
            level = "red" if now - since >= timedelta(hours=step.red(limits)) else "amber"
            if name == BY_CALENDAR:
                level = _by_carrier(calendars.get(row["partner"], Calendar()), since, now, limits.carrier_days)
            if level:
                days = (now - since).total_seconds() / 86400
                value = Decimal(row.pop("value_cents")) / 100
                found.append({"step": name, "level": level, "days": int(days)} | row | {"value": value.quantize(ZERO)})
    return found


def find_delivered(connection: Connection, *, calendars: Mapping[str, Calendar], now: datetime, days: int) -> Rows:
    """RAs whose parcel the carrier delivered more working days ago than the partner may take to report it, longest first; `level` amber or red."""
    found = standing.delivered_not_received(connection, now - timedelta(days=days))
    marked = (row | {"level": _by_carrier(calendars.get(row["partner"], Calendar()), database.moment(row["since"]), now, days)} for row in found)
    return [row for row in marked if row["level"]]


def _by_carrier(calendar: Calendar, since: datetime, now: datetime, limit: int) -> str:
    days = calendar.days_between(since, now)
    return "" if days < limit else "red" if days >= limit * RED_AFTER else "amber"


def group_aging(rows: Rows, *names: str) -> Rows:
    """The rows counted and valued by the named columns and currency (`step`, `partner`, `level`)."""
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        key = (*(str(row[name]) for name in names), str(row["currency"]))
        group = groups.setdefault(key, {name: row[name] for name in names} | {"currency": row["currency"], "count": 0, "value": ZERO, "ras": []})
        group["count"] += 1
        group["value"] += row["value"]
        group["ras"].append(row["ra"])
    return list(groups.values())
