"""Lists that a person works from: what needs someone, parcels without RA, RAs that grow old."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain.calendar import Calendar
from gateway.domain.lifecycle import RaState as S
from gateway.store import database, listing, overview, returns
from gateway.views.aging import Limits, find_delivered

FLAGGED = "flagged"
LIMIT = 100
NEXT_STEP = {
    "held return": "map the item or warehouse in mappings/; every return that waits for it goes on by itself",
    "held refund": "set what the message names; the refund is imported at the next run",
    "unmapped item": "add it to mappings/items.csv or to the partner's cross_references",
    "unmatched receipt": "choose the return it belongs to under Unknown parcels",
    "unreadable return": "look at the return in Loop Admin; the next import tries again",
    "not sendable": "correct what the text names, then release the RA",
    "A/R not zero": "compare the order with its return in Shopify",
    "process not confirmed": "look at the return in Loop Admin",
    "failed step": "try it again with Retry",
    FLAGGED: "review it in Loop Admin; the gateway learns of the outcome",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """Something that needs a person."""

    kind: str
    text: str
    since: str
    cents: int
    currency: str
    rma: str | None
    link: str
    step: str
    task_id: int = 0
    owner: str = ""
    note: str = ""


def work(connection: Connection, *, kind: str | None = None, owner: str | None = None, by_value: bool = False, limit: int = LIMIT) -> list[WorkItem]:
    """What needs a person: open tasks and flagged returns, oldest or most valuable first."""
    found = []
    if kind != FLAGGED:
        found += [_task(row) for row in listing.list_work(connection, kind=kind, owner=owner, by_value=by_value, limit=limit)]
    if kind in (None, FLAGGED) and owner is None:
        found += _flagged(connection, limit)
    return sorted(found, key=(lambda item: (-item.cents, item.since)) if by_value else (lambda item: (item.since, -item.cents)))[:limit]


def kinds(connection: Connection) -> dict[str, int]:
    """How much of each kind needs a person."""
    flagged = overview.stand_of_states(connection, [S.FLAGGED]).get(S.FLAGGED, (0, ""))[0]
    return ({FLAGGED: flagged} if flagged else {}) | listing.count_work(connection)


def _task(row: dict[str, Any]) -> WorkItem:
    return WorkItem(
        kind=row["kind"],
        text=row["text"],
        since=row["opened_at"],
        cents=row["cents"],
        currency=row["currency"] or "",
        rma=row["rma"],
        link=link_of(row["kind"], row["subject"], row["rma"]),
        step=_step(row["kind"], row["advice"]),
        task_id=row["id"],
        owner=row["owner"],
        note=row["note"],
    )


def _step(kind: str, advice: str) -> str:
    """What to do, in the pages' own words where the advice names a command."""
    return NEXT_STEP.get(kind, advice) if not advice or "`gateway " in advice else advice


def link_of(kind: str, subject: str, rma: str | None) -> str:
    """The page where a work item is best looked at."""
    numbered = re.fullmatch(r"file (\d+)", subject)
    if numbered:
        return f"/files/{numbered[1]}"
    if kind == "unmatched receipt":
        return "/parcels"
    return f"/returns/{rma}" if rma else ""


def _flagged(connection: Connection, limit: int) -> list[WorkItem]:
    found = []
    for row in listing.list_authorizations(connection, states=(S.FLAGGED,)).rows[:limit]:
        decided = returns.load_decision(connection, row["rma"])
        why = "; ".join(decided["decision"].sentences).rstrip(".") if decided else "flagged"
        since = decided["decided_at"] if decided else row["created_at"]
        found.append(
            WorkItem(
                kind=FLAGGED,
                text=f"RMA {row['rma']} was flagged: {why}",
                since=since,
                cents=row["value_cents"],
                currency=row["currency"],
                rma=row["rma"],
                link=f"/returns/{row['rma']}",
                step=NEXT_STEP[FLAGGED],
            )
        )
    return found


def aging(connection: Connection, *, now: datetime, limits: Limits, calendars: Mapping[str, Calendar]) -> dict[str, Any]:
    """RAs that stand where they should not stand for long (R-153): not received (amber, red), delivered by the carrier, and the other steps."""
    waiting = (S.SENT, S.ACKNOWLEDGED)
    late = overview.not_received(connection, states=waiting, sent_before=now - timedelta(days=limits.amber_days), limit=LIMIT)
    red_before = now - timedelta(days=limits.red_days)
    steps = (
        ("made, not sent", (S.IMPORTED, S.QUEUED, S.HELD), False, timedelta(hours=1)),
        ("sent, not acknowledged", (S.SENT,), True, timedelta(days=1)),
        (f"not received for {limits.amber_days:g} days", waiting, True, timedelta(days=limits.amber_days)),
        (f"not received for {limits.red_days:g} days", waiting, True, timedelta(days=limits.red_days)),
        ("partly received", (S.PARTLY_RECEIVED,), True, timedelta(days=1)),
        ("received, not decided", (S.RECEIVED,), True, timedelta(hours=1)),
        ("decided, not confirmed by Loop", (S.PROCESS_REQUESTED,), True, timedelta(hours=1)),
        ("processed, no refund yet", (S.PROCESSED,), True, timedelta(days=1)),
    )
    return {
        "late": [row | {"red": database.moment(row["sent_at"]) <= red_before} for row in late],
        "delivered": find_delivered(connection, calendars=calendars, now=now, days=limits.carrier_days),
        "steps": [
            {
                "name": name,
                "states": states,
                "rows": _together(overview.value_by_partner(connection, states=states, before=now - least, by_sent=by_sent)),
            }
            for name, states, by_sent, least in steps
        ],
    }


def _together(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Figures of several states as one for each partner and currency."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        one = found.setdefault((row["partner"], row["currency"]), row | {"count": 0, "cents": 0})
        one |= {"count": one["count"] + row["count"], "cents": one["cents"] + row["cents"], "oldest": min(one["oldest"], row["oldest"])}
    return [found[key] for key in sorted(found)]
