"""The facts of a daily recap: what moved, what is new, what is late, what does not add up (requirements R-154).

What does not add up is looked for in the returns of which something was recorded since the last recap that looked, and in those that differed then: a
difference is told until it is gone, and the recap of a large book costs no more than that of a small one (`Differing`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from gateway.domain.calendar import Calendar
from gateway.domain.documents import ZERO
from gateway.domain.lifecycle import RaState
from gateway.store import database, events, overview, standing, tallies
from gateway.views import aging, tying

Rows = list[dict[str, Any]]
BAD_OUTCOMES = frozenset({"error", "partial", "held", "quarantine"})
DIFFERING = "recap.differing"
OVERLAP = 1000  # events whose numbers were taken earlier and committed later, by another process


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """Up to which event differences were looked for, and the RMAs that had one: what the next recap starts from."""

    event: int = 0
    rmas: Sequence[str] = ()

    def dump(self) -> str:
        """As it is kept."""
        return database.pack({"event": self.event, "rmas": list(self.rmas)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recap:
    """A recap; every list may be empty, `partners` never is while there are partners."""

    now: datetime
    since: datetime
    states: Sequence[dict[str, Any]]
    partners: Sequence[dict[str, Any]]
    new_tasks: Sequence[dict[str, Any]]
    open_tasks: Sequence[dict[str, Any]]
    silences: Sequence[dict[str, Any]]
    alerts: Sequence[dict[str, Any]]
    late: Sequence[dict[str, Any]]
    differences: Sequence[str]
    differing: Differing

    @property
    def counts(self) -> dict[str, int]:
        """What makes a day not clear, counted."""
        return {
            "need a person": len(self.open_tasks),
            "alert(s)": len(self.alerts),
            "silent": len(self.silences),
            "late": sum(group["count"] for group in self.late),
            "money difference(s)": len(self.differences),
        }

    @property
    def all_clear(self) -> bool:
        """Whether nothing needs anybody."""
        return not any(self.counts.values())

    @property
    def headline(self) -> str:
        """The day in a few words, for the subject."""
        return "all clear" if self.all_clear else ", ".join(f"{count} {words}" for words, count in self.counts.items() if count)


def gather(connection: Connection, *, calendars: Mapping[str, Calendar], limits: aging.Limits, since: datetime, now: datetime) -> Recap:
    """The recap of the time between two instants; what is open is as of now."""
    tasks = events.open_tasks(connection)
    alerts = sorted(overview.open_alerts(connection, limit=None), key=lambda alert: int(alert["id"]))
    rows = aging.find_aging(connection, limits=limits, calendars=calendars, now=now)
    differing, differences = find_differences(connection)
    return Recap(
        now=now,
        since=since,
        states=count_states(connection),
        partners=count_files(connection, list(calendars), since=since, now=now),
        new_tasks=[task for task in tasks if task["opened_at"] >= database.instant(since)],
        open_tasks=tasks,
        silences=[alert for alert in alerts if alert["kind"] == "silence"],
        alerts=[alert for alert in alerts if alert["kind"] not in ("silence", "aging")],
        late=aging.group_aging(rows, "partner", "step", "level"),
        differences=differences,
        differing=differing,
    )


def find_differences(connection: Connection) -> tuple[Differing, list[str]]:
    """What does not add up, and what the next recap starts from."""
    kept = Differing(**json.loads(events.position(connection, DIFFERING) or "{}"))
    newest = tallies.last_event(connection)
    touched = tallies.returns_touched(connection, after=kept.event - OVERLAP)
    found = tying.find_differences(connection, {*kept.rmas, *touched})
    return Differing(event=newest, rmas=[rma for rma in found if rma]), [text for texts in found.values() for text in texts]


def count_states(connection: Connection) -> Rows:
    """RAs by state in the order of their life, counted and valued."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in standing.totals(connection):
        key = (row["state"], row["currency"])
        entry = found.setdefault(key, {"state": row["state"], "currency": row["currency"], "count": 0, "value": ZERO})
        entry["count"] += row["count"]
        entry["value"] += (Decimal(row["cents"]) / 100).quantize(ZERO)
    order = [state.value for state in RaState]
    return sorted(found.values(), key=lambda entry: (order.index(entry["state"]), entry["currency"]))


def count_files(connection: Connection, partners: Sequence[str], *, since: datetime, now: datetime) -> Rows:
    """Files in and out of every partner, also of those with none."""
    found = {name: {"partner": name, "in": 0, "out": 0, "duplicate": 0, "not used": 0} for name in partners}
    for row in standing.files_between(connection, since, now):
        entry = found.setdefault(row["partner"], {"partner": row["partner"], "in": 0, "out": 0, "duplicate": 0, "not used": 0})
        entry[row["direction"]] += row["count"]
        if row["direction"] == "in" and row["outcome"] == "duplicate":
            entry["duplicate"] += row["count"]
        if row["direction"] == "in" and row["outcome"] in BAD_OUTCOMES:
            entry["not used"] += row["count"]
    return list(found.values())
