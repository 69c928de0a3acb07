"""It ends where a calm run ends, wherever it is killed (A-076, R-082)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.drill.play import Victims
from gateway.drill.victim import Order
from gateway.simulator.partner import Receipt
from gateway.simulator.world import open_known_return
from gateway.store import database
from gateway.views import health, records
from tests.stage import Stage

PASSES = 9
KILLS = int(os.environ.get("GATEWAY_TEST_KILLS", "50"))
PERIODS = """
[periods]
refunds_lag = -5.0
doubt_settle = 20.0
confirm_process = 1.0
first_retry = 1.0
"""


@contextmanager
def theatre(folder: Path) -> Iterator[tuple[Stage, Victims]]:
    """A stage whose gateway runs in victims."""
    with Stage(folder, periods=PERIODS) as stage:
        stage.ctx.engine.dispose()
        victims = Victims()
        try:
            yield stage, victims
        finally:
            victims.close()


def play(folder: Path, die_at: int | None) -> tuple[dict[str, Any], int]:
    """Let A-001 and A-030 live, killing once at a point; returns the end state and how many points were passed."""
    with theatre(folder) as (stage, victims):
        open_known_return(stage.world, 77000001)
        open_known_return(stage.world, 77000003)
        stage.atlas.script = {"77000003": Receipt(lines=[("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0)], final=True)}
        passed, killed = 0, die_at is None
        for _ in range(PASSES):
            said = victims.run(Order(die_at=None if killed else max((die_at or 0) - passed, 1)), {**os.environ, **stage.environment})
            assert not said.get("error"), said["error"]
            passed += said["points"]
            killed = killed or said["died"]
            stage.atlas.step()
            stage.clock.advance(30)
            stage.world.settle()
            if stage.world.return_(77000003).state == "review":
                stage.world.review(77000003, process=True, remove=[830003])
        assert killed, f"the play has only {passed} points"
        stage.open_gateway()
        return end_state(stage), passed


def end_state(stage: Stage) -> dict[str, Any]:
    """Everything that must not depend on when it was killed."""
    with database.reading(stage.ctx.engine) as connection:
        book = records.export(connection)
    broken = health.verify(stage.ctx.engine, stage.ctx.folders)
    return {
        "process calls that counted": {rma: stage.simulator.calls.count("process", str(rma), accepted=True) for rma in (77000001, 77000003)},
        "flag calls that counted": {rma: stage.simulator.calls.count("flag", str(rma), accepted=True) for rma in (77000001, 77000003)},
        "notes": {rma: sorted(note.split(":")[0].split(" on ")[0] for note in stage.notes(rma)) for rma in (77000001, 77000003)},
        "ras": [(ra["ra"], ra["state"], ra["decision"], ra["reasons"], ra["lines"]) for ra in book["ras"]],
        "receipts": sorted((r["receipt_no"], r["sku"], r["good"], r["second"]) for r in book["receipts"]),
        "refunds": [(r["refund_id"], r["status"], r["credit"], r["cash"], r["rma"]) for r in book["refunds"]],
        "stock": sorted((m["warehouse"], m["sku"], m["qty"], m["cause"]) for m in book["stock"]),
        "shopify": [stage.world.available(sku, 7001) for sku in ("TEE-BLK-M", "HOOD-GRY-M", "CAP-NVY-OS")],
        "856 sent": sorted(ra for taken in stage.atlas.taken for ra in taken.ras),
        "controls": sorted(f["control"] for f in book["files"] if f["direction"] == "out"),
        "files left": sorted(
            p.name for name in ("inbox/ATLAS", "var/processing/ATLAS", "var/staging/ATLAS") for p in (stage.folder / name).glob("*.*")
        ),
        "files in": sorted((f["name"].split("_")[1], f["outcome"]) for f in book["files"] if f["direction"] == "in" and f["outcome"] != "duplicate"),
        "broken": broken,
    }


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """The calm run: its end state and its number of points."""
    return play(tmp_path_factory.mktemp("calm") / "w", None)


def test_the_calm_run_ends_as_the_scenarios_say(calm: tuple[dict[str, Any], int]) -> None:
    state, points = calm
    assert points > 2 * KILLS
    assert state["process calls that counted"] == {77000001: 1, 77000003: 0}
    assert state["flag calls that counted"] == {77000001: 0, 77000003: 1}
    assert state["shopify"] == [13, 12, 10]
    assert state["broken"] == []
    assert [(r[0], r[2]) for r in state["refunds"]] == [("6100001", "140.40"), ("6100003", "108.00")]


@pytest.mark.parametrize("part", range(KILLS))
def test_a076_it_ends_there_when_killed_at_a_point(calm: tuple[dict[str, Any], int], part: int, tmp_path: Path) -> None:
    state, points = calm
    # the interesting points lie in the first passes; the later ones only find nothing to do
    die_at = 1 + part * (points * 6 // PASSES) // KILLS
    found, _ = play(tmp_path / "w", die_at)
    different = {name: (found[name], value) for name, value in state.items() if found[name] != value}
    assert different == {}, f"killed at point {die_at} of {points}"
