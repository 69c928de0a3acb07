"""Our clock is wrong by hours for a while, as after a power cut or a bad time server: nothing is missed, nothing happens twice (issue: Crashes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.jobs import SCHEDULED
from gateway.simulator.partner import Receipt
from gateway.simulator.world import open_known_return
from gateway.store import database
from gateway.views import health, records
from tests.stage import HOUR, Stage

RMAS = (77000001, 77000003)
BACK_AND_FORTH = [(5, -5, 0, 8, -8), (-3, 6, -9, 12, 0), (0, 0, 7, 0, 0), (9, 9, 9, 0, 0)]


def set_our_clock(stage: Stage, hours: float) -> None:
    """Our clock is wrong by some hours; those of Loop, Shopify and the partners are right."""
    stage.ctx = replace(stage.ctx, now=lambda: stage.clock.now() + timedelta(hours=hours))
    stage.worker.ctx = stage.ctx


def live(stage: Stage, steps: Sequence[float]) -> dict[str, Any]:
    """A-001 and A-030 live while our clock steps; it is right again at the end, and what was put off comes due."""
    stage.atlas.script = {"77000003": Receipt(lines=[("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0)], final=True)}
    for rma in RMAS:
        open_known_return(stage.world, rma)
    for hours in [0, *steps, 0]:
        set_our_clock(stage, hours)
        one_round(stage, 30)
    for _ in range(6):
        one_round(stage, 3 * HOUR)
    return end_state(stage)


def one_round(stage: Stage, seconds: float) -> None:
    """Every job, then the partner, the reviewer in Loop and the time move."""
    for name in SCHEDULED:
        stage.job(name)
    stage.take()
    stage.atlas.step()
    if stage.world.return_(77000003).state == "review":
        stage.world.review(77000003, process=True, remove=[830003])
    stage.wait(seconds)


def end_state(stage: Stage) -> dict[str, Any]:
    """What must not depend on our clock."""
    with database.reading(stage.ctx.engine) as connection:
        book = records.export(connection)
    return {
        "calls": {rma: [stage.simulator.calls.count(verb, str(rma), accepted=True) for verb in ("process", "flag")] for rma in RMAS},
        "notes": {rma: len(stage.notes(rma)) for rma in RMAS},
        "ras": [(ra["ra"], ra["state"], ra["decision"], ra["lines"]) for ra in book["ras"]],
        "receipts": sorted((r["receipt_no"], r["sku"], r["good"], r["second"]) for r in book["receipts"]),
        "refunds": sorted((r["refund_id"], r["status"], r["credit"], r["cash"]) for r in book["refunds"]),
        "stock": sorted((m["warehouse"], m["sku"], m["qty"], m["cause"]) for m in book["stock"]),
        "sent": sorted(ra for taken in stage.atlas.taken for ra in taken.ras),
        "broken": health.verify(stage.ctx.engine, stage.ctx.folders),
    }


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The end of a life under a right clock."""
    with Stage(tmp_path_factory.mktemp("calm") / "w") as stage:
        return live(stage, (0, 0, 0, 0, 0))


def test_the_calm_life_is_whole(calm: dict[str, Any]) -> None:
    assert [ra[1] for ra in calm["ras"]] == ["closed", "closed"]
    assert (calm["calls"], len(calm["refunds"]), calm["broken"]) == ({77000001: [1, 0], 77000003: [0, 1]}, 2, [])


@pytest.mark.parametrize("steps", BACK_AND_FORTH)
def test_it_ends_there_whatever_our_clock_does(stage: Stage, calm: dict[str, Any], steps: Sequence[float]) -> None:
    assert live(stage, steps) == calm


def test_it_misses_no_return_that_changed_while_our_clock_was_ahead(stage: Stage) -> None:
    set_our_clock(stage, 6)
    stage.import_rmas()
    open_known_return(stage.world, 77000001)
    stage.wait(1)
    set_our_clock(stage, 0)
    stage.import_rmas()
    assert stage.ra("RA77000001").document.rma == "77000001"
