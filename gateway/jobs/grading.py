"""Grades and dispositions to Loop, at most 30 units a call (R-101). They are told before the decision is, since a processed return is read-only.

Loop keeps the last grade of a unit, so that the same call may be made again when its answer was lost. A refused grading stops nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from gateway.domain import grading
from gateway.domain.grading import GradedUnit, GradingRules
from gateway.jobs import effecting
from gateway.jobs.context import Context
from gateway.store import events, received
from gateway.store.returns import HeldAuthorization

MOST_UNITS = 30


def tell_grades(ctx: Context, connection: Connection, rma: str, ras: Sequence[HeldAuthorization], *, round_: str) -> None:
    """Ask for the grading of what came, where the partner's profile gives its words a meaning."""
    for held in ras:
        profile = ctx.profiles.get(held.document.partner)
        if profile is None or profile.grading is None:
            continue
        part = profile.grading
        rules = GradingRules(grades=part.grades, dispositions=part.dispositions, processor=part.processor)
        receipts = [r.document for r in received.receipts_of(connection, held.document.ra)]
        found = grading.grade(held.document, receipts, rules)
        for word in found.unknown:
            text = f"{profile.partner} grades with {word!r} (receipt for {held.document.ra}), which has no meaning in its profile; Loop was not told"
            advice = f'add "{word}" under [grading.grades] or [grading.dispositions] of {profile.partner}'
            events.open_task(connection, "unknown grade", f"{profile.partner} {word}", text, at=ctx.now(), rma=rma, advice=advice)
        _intend(ctx, connection, rma, held.document.ra, found.units, round_)


def _intend(ctx: Context, connection: Connection, rma: str, ra: str, units: Sequence[GradedUnit], round_: str) -> None:
    graded = [_graded(unit) for unit in units if unit.grade]
    assessed = [_assessed(unit) for unit in units if unit.disposition]
    for kind, items in (("loop.grade", graded), ("loop.assess", assessed)):
        for number, some in enumerate(_groups(items), start=1):
            effecting.intend(ctx, connection, kind, rma, f"{ra} {round_}.{number}", {"items": list(some)})


def _groups(items: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], ...]]:
    rest = iter(items)
    while some := tuple(islice(rest, MOST_UNITS)):
        yield some


def _graded(unit: GradedUnit) -> dict[str, Any]:
    return _shared(unit) | {"description": unit.description, "condition_category": unit.grade, "images": list(unit.photos)}


def _assessed(unit: GradedUnit) -> dict[str, Any]:
    return _shared(unit) | {"disposition_outcome": unit.disposition}


def _shared(unit: GradedUnit) -> dict[str, Any]:
    told = {"line_item_id": int(unit.line_item_id), "note": unit.note, "inspected_at": f"{unit.inspected_on} 00:00:00"}
    return told | ({"return_processor": unit.processor} if unit.processor else {})
