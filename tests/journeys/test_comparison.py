"""The nightly comparison of Loop with what we hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.lifecycle import RaState
from gateway.jobs.loop import POSITION
from gateway.simulator.world import open_known_return
from gateway.store import database, events, returns
from tests.journeys.steps import announce
from tests.stage import HOUR, Stage


def next_night(stage: Stage) -> None:
    """A day passes; the import has its position behind it."""
    stage.wait(24 * HOUR)
    with database.writing(stage.ctx.engine) as connection:
        events.set_position(connection, POSITION, database.instant(stage.ctx.now()))


def missed(stage: Stage) -> None:
    """A return that the import never saw."""
    open_known_return(stage.world, 77000001)


def cancelled(stage: Stage) -> None:
    """A cancellation that the import never saw."""
    announce(stage, 77000001)
    stage.world.cancel(77000001)


def closed(stage: Stage) -> None:
    """A closing that the import never saw."""
    announce(stage, 77000001)
    stage.world.review(77000001)


@pytest.mark.parametrize(
    ("happen", "state", "words"),
    [
        (missed, RaState.SENT, "Loop had it, we did not"),
        (cancelled, RaState.CANCELLED, "Loop has it as cancelled, we had it as open"),
        (closed, RaState.PROCESSED, "Loop has it as closed, we had it as open"),
    ],
)
def test_it_takes_over_what_the_import_missed(stage: Stage, happen: Callable[[Stage], None], state: RaState, words: str) -> None:
    stage.import_rmas()
    happen(stage)
    next_night(stage)
    tally = stage.job("LoopCompareReturns")
    assert (tally.done, tally.failed) == (1, 0)
    assert stage.ra("RA77000001").state == state
    assert any(words in e["text"] for e in stage.story_of(77000001)["timeline"])
    next_night(stage)
    assert stage.job("LoopCompareReturns").done == 0


def test_it_brings_an_ra_after_its_return_when_only_the_ra_stood_still(stage: Stage) -> None:
    announce(stage, 77000001)
    stage.world.review(77000001)
    stage.wait(2)
    stage.run("LoopImportReturnAuthorizations")
    with database.writing(stage.ctx.engine) as connection:
        connection.exec_driver_sql("DELETE FROM work_queue")
    next_night(stage)
    assert stage.ra("RA77000001").state == RaState.SENT
    assert stage.job("LoopCompareReturns").done == 1
    assert stage.ra("RA77000001").state == RaState.PROCESSED


def test_it_asks_about_what_loop_does_not_list_any_more(stage: Stage) -> None:
    announce(stage, 77000001)
    del stage.world.returns[77000001]
    next_night(stage)
    assert stage.job("LoopCompareReturns").failed == 1
    (task,) = stage.tasks("not in Loop")
    assert task["rma"] == "77000001"


def test_it_compares_once_a_day_from_its_hour_on_and_a_range_at_once(stage: Stage) -> None:
    assert "nothing was imported" in stage.job("LoopCompareReturns").reasons[0]
    announce(stage, 77000001)
    hour = stage.ctx.local(stage.ctx.now()).hour
    stage.wait((27 - hour) * HOUR)
    assert stage.job("LoopCompareReturns").read == 1
    again = stage.job("LoopCompareReturns")
    assert (again.read, again.skipped) == (0, 1)
    now = stage.ctx.now()
    assert stage.job("LoopCompareReturns", start=now.replace(year=now.year - 1, month=12), end=now).read == 1
    stage.wait(21.5 * HOUR)
    assert "it is not 2:00 yet" in stage.job("LoopCompareReturns").reasons[0]


def test_it_finds_nothing_where_all_is_well(stage: Stage) -> None:
    announce(stage, 77000001)
    announce(stage, 77000004)
    next_night(stage)
    tally = stage.job("LoopCompareReturns")
    assert (tally.read, tally.done, tally.failed) == (2, 0, 0)
    with database.reading(stage.ctx.engine) as connection:
        assert returns.count_by_state(connection) == {"sent": 2}
