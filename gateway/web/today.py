"""Today: what flows, what waits, what needs a person, how the partners are doing."""

from __future__ import annotations

from typing import Any

from gateway.views import desk as work_views
from gateway.views import today
from gateway.web import charts
from gateway.web.guard import Answer, Visit

CHARTS = {"authorized": "RAs made", "received": "Receipts", "refunded": "Refunds imported"}
CHART_SECONDS = 60.0
FIRST = 8


def show(visit: Visit) -> Answer:
    """The first page."""
    desk = visit.desk
    with desk.reading() as connection:
        health = today.health(connection)
        kinds = desk.figure("kinds", lambda: work_views.kinds(connection))
        facts: dict[str, Any] = {
            "stages": desk.figure("flow", lambda: today.flow(connection)),
            "waiting": desk.figure("waiting", lambda: today.waiting(connection)),
            "partners": desk.figure("partners", lambda: today.partners(connection, desk.ctx.profiles, now=desk.ctx.now())),
            "kinds": kinds,
            "work": work_views.work(connection, limit=FIRST),
            "profiles": desk.ctx.profiles,
        }
        days = desk.memory.figure(
            "days",
            now=desk.ctx.monotonic(),
            seconds=min(CHART_SECONDS, desk.figure_seconds * 12),
            make=lambda: today.days(connection, now=desk.ctx.now(), local=desk.local),
        )
    drawn = [
        (title, charts.bars(title, [charts.Bar(label=f"{day:%d %b}", value=count) for day, count in days[what]])) for what, title in CHARTS.items()
    ]
    unwell = [part for part in desk.figure("parts", lambda: desk.status()["parts"]) if not part["well"]]
    return visit.show("today.html", health=health, unwell=unwell, drawn=drawn, troubles=_troubles(kinds, health["alerts"]), **facts)


def _troubles(kinds: dict[str, int], alerts: list[dict[str, object]]) -> str:
    """The state of things in one sentence."""
    count = sum(kinds.values())
    parts = []
    if count:
        parts.append(f"{count} {'thing needs' if count == 1 else 'things need'} a person")
    if alerts:
        parts.append(f"{len(alerts)} alert{'s are' if len(alerts) > 1 else ' is'} open")
    return " and ".join(parts)
