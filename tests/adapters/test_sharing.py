"""Effects that share their commits: each done once, and those whose turn did not come are as if nobody had tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from sqlalchemy import update

from gateway.clients.session import Kind, Outcome
from gateway.errors import TemporaryError
from gateway.jobs import effecting, sharing
from gateway.jobs.context import Context
from gateway.jobs.effecting import Effect, Look, Sight, Way
from gateway.store import database, effects, workqueue
from gateway.store.database import LeaseLostError
from gateway.store.schema import work_queue
from tests.stage import Stage

COUNT = 4
ACCEPTED = Outcome(kind=Kind.ACCEPTED, text="done")


@dataclass
class Outside:
    """What effects are done to, and a watch that only it moves."""

    stage: Stage
    answers: dict[str, Outcome] = field(default_factory=dict)
    on_call: Callable[[Effect], None] = lambda _: None
    free: bool = True
    seconds: float = 0.0
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        with database.writing(self.stage.ctx.engine) as connection:
            for number in range(COUNT):
                effects.intend(connection, kind="try.it", target=str(number), version="1", payload={}, now=self.stage.ctx.now())
            self.works = workqueue.claim(connection, owner="one", now=self.stage.ctx.now(), lease_seconds=60)
        guarded = database.guarded(self.stage.ctx.engine, workqueue.guard_all(self.works))
        self.ctx = replace(self.stage.ctx, engine=guarded, monotonic=lambda: self.seconds)

    def act(self, _ctx: Context, effect: Effect) -> Outcome:
        """Do it."""
        self.done.append(effect.target)
        self.on_call(effect)
        return self.answers.get(effect.target, ACCEPTED)

    def perform(self) -> list[TemporaryError | None]:
        """Carry them out; what became of those that were taken."""
        clear = Look(sight=Sight.CLEAR)
        way = Way(
            label="try",
            before=lambda *_: clear,
            act=self.act,
            after=lambda *_: replace(clear, sight=Sight.HAPPENED),
            settled=lambda *_: None,
            is_free=lambda _: self.free,
        )
        return list(sharing.perform_some(self.ctx, [work.key for work in self.works], {"try.it": way}).values())

    def book(self) -> list[str]:
        """How the book shows them: state and attempts."""
        with database.reading(self.stage.ctx.engine) as connection:
            return [f"{effect.state} {effect.attempts}" for effect in effects.list_effects(connection)]


@pytest.fixture
def outside(stage_on_both: Stage) -> Outside:
    """Four effects that are claimed, and nobody has tried."""
    return Outside(stage_on_both)


def test_it_does_all_in_their_order_with_one_commit_before_and_one_after(outside: Outside) -> None:
    seen: list[list[str]] = []
    outside.on_call = lambda _: seen.append(outside.book())
    assert outside.perform() == [None] * COUNT
    assert outside.done == ["0", "1", "2", "3"]
    assert seen == [["in_doubt 1"] * COUNT] * COUNT
    assert outside.book() == ["confirmed 1"] * COUNT


@pytest.mark.parametrize(
    ("kind", "state"), [(Kind.NOT_DONE, "intended 1"), (Kind.UNCLEAR, "in_doubt 1"), (Kind.REFUSED, "failed 1"), (Kind.DENIED, "intended 1")]
)
def test_it_stops_at_the_first_that_is_not_accepted(outside: Outside, kind: Kind, state: str) -> None:
    outside.answers["1"] = Outcome(kind=kind, text="no", delay=7)
    first, second = outside.perform()
    assert (first, second is None) == (None, kind == Kind.REFUSED)
    assert outside.done == ["0", "1"]
    assert outside.book() == ["confirmed 1", state, "intended 0", "intended 0"]


def test_it_calls_none_later_than_a_moment_after_the_first(outside: Outside) -> None:
    outside.on_call = lambda _: setattr(outside, "seconds", outside.seconds + 0.15)
    assert outside.perform() == [None, None]
    assert outside.book() == ["confirmed 1", "confirmed 1", "intended 0", "intended 0"]


def test_it_writes_what_it_knows_before_anything_that_waits(outside: Outside) -> None:
    outside.on_call = lambda effect: setattr(outside, "free", effect.target != "2")
    assert len(outside.perform()) == 3
    assert outside.book() == ["confirmed 1"] * 3 + ["intended 0"]
    assert outside.perform() == []  # what waits is done alone


def test_it_takes_back_all_when_the_process_stood_still_before_the_first_call(outside: Outside) -> None:
    def late() -> datetime:
        outside.seconds += effecting.LONGEST_HESITATION + 1
        return outside.stage.ctx.now()

    outside.ctx = replace(outside.ctx, now=late)
    assert outside.perform() == []
    assert (outside.done, outside.book()) == ([], ["intended 0"] * COUNT)


def test_it_leaves_only_the_one_in_doubt_whose_call_broke(outside: Outside) -> None:
    def break_at_1(effect: Effect) -> None:
        if effect.target == "1":
            raise ZeroDivisionError

    outside.on_call = break_at_1
    with pytest.raises(ZeroDivisionError):
        outside.perform()
    assert outside.book() == ["confirmed 1", "in_doubt 1", "intended 0", "intended 0"]


def test_it_writes_nothing_once_a_lease_is_lost(outside: Outside) -> None:
    def lose(_: Effect) -> None:
        with database.writing(outside.stage.ctx.engine) as connection:
            connection.execute(update(work_queue).where(work_queue.c.id == outside.works[3].id).values(fence=work_queue.c.fence + 1))

    outside.on_call = lose
    with pytest.raises(LeaseLostError):
        outside.perform()
    assert outside.book() == ["in_doubt 1"] * COUNT


def test_it_leaves_alone_what_somebody_has_moved_or_tried_before(outside: Outside) -> None:
    with database.writing(outside.stage.ctx.engine) as connection:
        second = effects.load(connection, int(outside.works[2].key))
        assert second and effects.send(connection, second, evidence={}, now=outside.stage.ctx.now())
    assert outside.perform() == [None, None]
    assert outside.book() == ["confirmed 1", "confirmed 1", "in_doubt 1", "intended 0"]


def test_the_service_notes_many_returns_with_shared_commits_and_each_once(stage_on_both: Stage) -> None:
    stage = stage_on_both
    rmas = range(78000000, 78000006)
    for place, rma in enumerate(rmas):
        stage.world.add_order(5100000000 + place, f"#{20000 + place}", [("CAP-NVY-OS", 1)])
        stage.world.open_return(rma, f"#{20000 + place}", [(9000000 + place, "CAP-NVY-OS")], 501)
    stage.worker._pace["effect.loop"] = 0.001  # as after many quick ones
    stage.import_rmas()
    assert [len(stage.notes(rma)) for rma in rmas] == [1] * len(rmas)
    assert len({stage.effects(rma)[0].sent_at for rma in rmas}) == 1
