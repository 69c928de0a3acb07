"""R-157: each part of the whole is judged, in one command."""

from __future__ import annotations

import shutil
from datetime import timedelta

from gateway.daemon import loops
from gateway.store import database, events
from gateway.views import health
from tests.journeys.steps import announce
from tests.stage import Stage


def judged(stage: Stage, *, ready: bool = True, later: float = 0.0) -> dict[tuple[str, str], tuple[bool, str]]:
    """Each part: whether it is well, and its words."""
    found = health.status(stage.ctx.engine, stage.ctx.folders, now=stage.ctx.now() + timedelta(seconds=later), ready=ready)
    return {(one["part"], one["name"]): (one["well"], one["words"]) for one in found["parts"]}


def test_r157_it_judges_each_part(stage_on_both: Stage) -> None:
    announce(stage_on_both, 77000001)
    with database.writing(stage_on_both.ctx.engine) as connection:
        events.plan_job(connection, "Upkeep", first_at=stage_on_both.ctx.soon(60), next_at=stage_on_both.ctx.soon(60))
    found = judged(stage_on_both)
    assert all(well for well, _ in found.values()), found
    assert {kind for kind, _ in found} >= {"database", "clock", "disk", "folders", "connection", "job"}
    assert {name for kind, name in found if kind == "folders"} == set(stage_on_both.ctx.folders)
    assert "GB free" in next(words for (kind, _), (_, words) in found.items() if kind == "disk")


def test_r157_folders_that_are_gone_are_named_and_the_others_are_well(stage: Stage) -> None:
    shutil.rmtree(stage.folder / "inbox" / "ATLAS")
    found = judged(stage)
    assert (found["folders", "PACIFIC"][0], found["folders", "ATLAS"][0]) == (True, False)
    assert "is not there" in found["folders", "ATLAS"][1]
    loops.take(stage.ctx, "ATLAS")
    problems = health.status(stage.ctx.engine, stage.ctx.folders, now=stage.ctx.now(), ready=True)["problems"]
    assert [("inbox" in text, text.startswith("folder trouble")) for text in problems] == [(True, True)]  # said once


def test_r157_a_job_that_does_not_begin_and_work_that_is_not_done_are_late_only_while_the_service_runs(stage: Stage) -> None:
    announce(stage, 77000001)
    with database.writing(stage.ctx.engine) as connection:
        events.plan_job(connection, "Upkeep", first_at=stage.ctx.now(), next_at=stage.ctx.now())
    assert judged(stage, later=1000)["job", "Upkeep"][0] is False
    assert "has not begun" in judged(stage, later=1000)["job", "Upkeep"][1]
    assert judged(stage, later=1000, ready=False)["job", "Upkeep"][0] is True


def test_r157_a_clock_before_the_newest_event_is_wrong(stage: Stage) -> None:
    announce(stage, 77000001)
    well, words = judged(stage, later=-3600)["clock", "UTC"]
    assert (well, "newest event in the book" in words) == (False, True)


def test_r157_a_service_that_refuses_the_key_is_named(stage: Stage) -> None:
    stage.simulator.faults.add("status", service="loop", status=401)
    stage.import_rmas()
    found = judged(stage)["connection", "Loop"]
    assert (found[0], "401" in found[1]) == (False, True), found
