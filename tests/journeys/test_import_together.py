"""A page of returns is taken over together: each as if it had come alone, also when it is listed twice or another process takes it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from gateway.domain.documents import Return
from gateway.domain.lifecycle import RaState
from gateway.jobs import loop
from gateway.jobs.context import Tally
from gateway.store import database
from gateway.store.schema import authorizations, work_queue
from tests.stage import Stage

FIRST = 78000000
HOUR = timedelta(hours=1)


def listed(stage: Stage, count: int) -> list[Return]:
    """So many returns of one cap, as Loop lists them."""
    for place in range(count):
        stage.world.add_order(5100000000 + place, f"#{20000 + place}", [("CAP-NVY-OS", 1)])
        stage.world.open_return(FIRST + place, f"#{20000 + place}", [(9000000 + place, "CAP-NVY-OS")], 501)
    now = stage.ctx.now()
    pages = stage.ctx.loop.list_returns(start=now - HOUR, end=now + HOUR, state=None)
    return [entry for page in pages for entry in page if isinstance(entry, Return)]


def take(stage: Stage, found: Sequence[Return]) -> Tally:
    """Take returns over in one transaction."""
    tally = Tally()
    with database.writing(stage.ctx.engine) as connection:
        loop.take_returns(stage.ctx, connection, found, tally, asked_for=False)
    return tally


def test_it_makes_every_ra_of_a_page_with_its_note_and_its_work(stage: Stage) -> None:
    tally = take(stage, listed(stage, 3))
    assert tally.counts == {"read": 0, "done": 3, "skipped": 0, "failed": 0}
    for rma in range(FIRST, FIRST + 3):
        assert stage.story(rma) == ["return.created", "ra.made"]
        assert [(effect.kind, effect.version) for effect in stage.effects(rma)] == [("loop.note", f"made RA{rma}")]
        assert stage.ra_lines(f"RA{rma}")["CAP-NVY-OS"]["expected"] == 1
    with database.reading(stage.ctx.engine) as connection:
        jobs = [str(row[0]) for row in connection.execute(select(work_queue.c.job).order_by(work_queue.c.id))]
    assert jobs == ["effect.loop", "transmit", "match"] * 3


def test_it_follows_a_return_that_one_page_lists_first_open_and_then_cancelled(stage: Stage) -> None:
    (rma,) = listed(stage, 1)
    tally = take(stage, [rma, replace(rma, state="cancelled", updated_at=rma.updated_at + HOUR), rma])
    assert stage.ra(f"RA{FIRST}").state == RaState.CANCELLED
    assert tally.done == 3  # made, cancelled, and what came last is taken over too
    assert stage.story(FIRST)[:4] == ["return.created", "ra.made", "return.cancelled", "ra.cancelled"]


def test_it_passes_over_what_it_does_not_import_and_takes_the_rest_of_the_page(stage: Stage) -> None:
    first, second, third = listed(stage, 3)
    tally = take(stage, [first, replace(second, state="closed"), third])
    assert (tally.done, tally.reasons) == (2, [f"{second.rma}: closed in Loop before it was imported"])


@pytest.mark.xdist_group("postgres")
def test_it_makes_no_ra_twice_while_another_process_takes_the_same_page(make_stage: Callable[..., Stage], postgres_url: str) -> None:
    stage = make_stage(database_url=postgres_url)
    page = listed(stage, 3)
    other: list[Tally] = []
    thread = threading.Thread(target=lambda: other.append(take(stage, page)))
    with database.writing(stage.ctx.engine) as connection:
        loop.take_returns(stage.ctx, connection, page, Tally(), asked_for=False)
        thread.start()
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not connection.execute(waiting).scalar_one():
            pass
    thread.join()
    assert other[0].reasons == [f"{rma.rma}: unchanged" for rma in page]
    assert stage.story(FIRST) == ["return.created", "ra.made"]
    with database.reading(stage.ctx.engine) as reading:
        assert len(reading.execute(select(authorizations.c.ra)).all()) == 3
