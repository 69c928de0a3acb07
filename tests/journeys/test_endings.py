"""R-043, R-044, R-052, R-093: returns that begin late, and returns that end before their goods come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.simulator.partner import announcement, read_x12
from gateway.simulator.world import open_known_return
from gateway.store import database, events
from tests.journeys.steps import announce, come_back
from tests.stage import Stage


def purposes(stage: Stage) -> list[str]:
    """The purpose of each document in ATLAS's outbox."""
    files = [read_x12(path.read_bytes()) for path in stage.outbox("ATLAS")]
    return [announcement(segments, control).purpose for groups in files for group in groups for _, control, segments in group.sets]


def expire(stage: Stage) -> None:
    """The label never moved."""
    stage.world.expire(77000004)


def close(stage: Stage) -> None:
    """Somebody archived the return in Loop Admin."""
    stage.world.close(77000004)


@pytest.mark.parametrize(("end", "kind", "sent"), [(expire, "expiry", ["00", "01"]), (close, "closing", ["00"])])
def test_goods_that_come_after_the_end_are_recorded_and_asked_about_and_nothing_else(
    stage: Stage, end: Callable[[Stage], None], kind: str, sent: list[str]
) -> None:
    announce(stage, 77000004)
    end(stage)
    stage.wait(2)
    for _ in range(2):
        stage.import_rmas()
        stage.job("TransmitReturnAuthorizations")
    assert purposes(stage) == sent
    come_back(stage, 77000004)
    stage.job("LoopExportReturnReceipts")
    assert [task["kind"] for task in stage.tasks()] == [f"arrived after {kind}"]
    assert (stage.calls("process"), stage.calls("flag"), stage.stock("NJ1", "HOOD-GRY-M")) == (0, 0, 10)
    assert stage.lines("RA77000004")["HOOD-GRY-M"][1] == 1


def test_a_return_that_ends_before_it_was_sent_is_never_announced(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(("mappings/atlas.toml", "[send]", "[send]\npaused = true"),))
    announce(stage, 77000004)
    stage.world.cancel(77000004)
    stage.wait(2)
    stage.import_rmas()
    stage.reopen(("mappings/atlas.toml", "[send]\npaused = true", "[send]"))
    stage.job("TransmitReturnAuthorizations")
    assert (stage.outbox("ATLAS"), stage.ra("RA77000004").state.value) == ([], "cancelled")


def test_an_ra_is_made_at_the_first_carrier_scan_where_the_merchant_wants_it_so(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(("gateway.toml", 'create_on = "created"', 'create_on = "in_transit"'),))
    open_known_return(stage.world, 77000004)
    assert "waiting for the first carrier scan" in stage.import_rmas().reasons[0]
    assert stage.outbox("ATLAS") == []
    stage.world.scan_label(77000004, "in_transit")
    stage.wait(2)
    assert stage.import_rmas().done == 1
    assert purposes(stage) == ["00"]


def test_a_return_older_than_the_cut_off_comes_in_only_by_its_number(stage: Stage) -> None:
    stage.world.open_return(77000004, "#1004", [(840001, "HOOD-GRY-M")], 501, created_at="2025-12-01T10:00:00Z")
    stage.world.scan_label(77000004, "in_transit")
    assert (stage.import_rmas().done, stage.outbox("ATLAS")) == (0, [])
    now = stage.ctx.now()
    ranged = stage.job("LoopImportReturnAuthorizations", start=now.replace(year=2025, month=11, day=1), end=now)
    assert (ranged.done, ranged.skipped) == (0, 1)
    assert stage.job("LoopImportReturnAuthorizations", rma="77000004").done == 1


def test_what_stays_with_the_shopper_is_in_the_story_of_the_return(stage: Stage) -> None:
    stage.world.open_return(77000003, "#1003", [(830001, "TEE-BLK-M", {"outcome": "keep"}), (830002, "HOOD-GRY-M")], 501)
    stage.import_rmas()
    with database.reading(stage.ctx.engine) as connection:
        left = [e["text"] for e in events.of_return(connection, "77000003") if e["word"] == "unit.left-out"]
    assert left == ["TEE-BLK-M: not sent to a warehouse (keep)"]
