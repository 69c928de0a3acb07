"""What flows where right now, what needs a person, and how the partners are doing: the first page of the day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import RaState as S
from gateway.store import events, listing, overview

DAYS = 14
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of the flow: how many RAs are there, since when the oldest, and where the list is."""

    key: str
    name: str
    waits_for: str
    states: tuple[str, ...]
    count: int = 0
    oldest: str = ""


STAGES = (
    Stage(key="loop", name="From Loop", waits_for="to be sent", states=(S.IMPORTED, S.HELD)),
    Stage(key="queued", name="To the partner", waits_for="delivery", states=(S.QUEUED,)),
    Stage(key="partner", name="With the partner", waits_for="goods", states=(S.SENT, S.ACKNOWLEDGED)),
    Stage(key="receipt", name="Partly received", waits_for="the rest", states=(S.PARTLY_RECEIVED,)),
    Stage(key="decision", name="Received", waits_for="decision", states=(S.RECEIVED,)),
    Stage(key="process", name="At Loop", waits_for="Loop to close it", states=(S.PROCESS_REQUESTED,)),
    Stage(key="flagged", name="Flagged", waits_for="review in Loop", states=(S.FLAGGED,)),
    Stage(key="refund", name="Processed", waits_for="refund and stock", states=(S.PROCESSED,)),
)
STAGE = {stage.key: stage for stage in STAGES}


def flow(connection: Connection) -> list[Stage]:
    """Every stage with its count and age."""
    found = overview.stand_of_states(connection, [state for stage in STAGES for state in stage.states])
    return [_filled(stage, [found[s] for s in stage.states if s in found]) for stage in STAGES]


def _filled(stage: Stage, found: list[tuple[int, str]]) -> Stage:
    return replace(stage, count=sum(count for count, _ in found), oldest=min((oldest for _, oldest in found), default=""))


def waiting(connection: Connection) -> dict[str, tuple[int, str]]:
    """What waits beside the flow: returns without mapping, parcels without RA, stock that Shopify was not told."""
    return {
        "held": overview.held_returns(connection),
        "parcels": overview.unknown_parcels(connection),
        "stock": (overview.not_exported(connection), ""),
    }


def days(connection: Connection, *, now: datetime, local: Callable[[datetime], datetime]) -> dict[str, list[tuple[datetime, int]]]:
    """What happened on each of the last days of the merchant's calendar: RAs made, receipts, refunds imported."""
    midnight = local(now).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [midnight - DAY * back for back in range(DAYS - 1, -1, -1)]
    return {what: [(start, overview.count_between(connection, what, start, start + DAY)) for start in starts] for what in overview.DAILY}


def partners(connection: Connection, names: Iterable[str], *, now: datetime) -> list[dict[str, Any]]:
    """Each partner: its last file in and out, what awaits an acknowledgement, what went wrong with one, files of the last day."""
    awaiting, bad = overview.awaiting_acknowledgements(connection), overview.overdue_acknowledgements(connection)
    recent = overview.files_since(connection, now - DAY)
    return [
        {
            "partner": name,
            "last_in": overview.last_file(connection, partner=name, direction="in"),
            "last_out": overview.last_file(connection, partner=name, direction="out"),
            "awaiting": awaiting.get(name, (0, ""))[0],
            "due": awaiting.get(name, (0, ""))[1],
            "bad": bad.get(name, 0),
            "files_in": sum(row["count"] for row in recent if row["partner"] == name and row["direction"] == "in"),
            "files_out": sum(row["count"] for row in recent if row["partner"] == name and row["direction"] == "out"),
        }
        for name in names
    ]


def health(connection: Connection) -> dict[str, Any]:
    """Alerts that are open, what needs a person by kind, and jobs that have not succeeded for long."""
    return {
        "alerts": overview.open_alerts(connection),
        "kinds": listing.count_work(connection),
        "schedule": events.list_schedule(connection),
        "newest": overview.newest_event(connection),
    }
