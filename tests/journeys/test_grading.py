"""R-101: grades and dispositions reach Loop in groups of 30; photo links are kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.steps import announce
from tests.stage import Stage

WORDS = """
[grading]
processor = "receiving@pacific.example"
[grading.grades]
A = "grade_a"
C = "grade_c"
[grading.dispositions]
RESTOCK = "back_to_stock"
BGRADE = "resale_hold"
"""
HEADER = "receipt_number,ra_number,received_at,sku,quantity,condition,grade,disposition,photos,final\n"
ROW = "P1,RA77000004,2026-11-25T10:00:00Z,HOOD-GRY-M,1,SECOND,{grade},BGRADE,https://x/1.jpg https://x/2.jpg,Y\n"


@pytest.fixture
def grading(make_stage: Any) -> Stage:
    """PACIFIC's words have a meaning."""
    return make_stage(edits=(("mappings/pacific.toml", "[folders]", WORDS + "\n[folders]"),))  # type: ignore[no-any-return]  # the fixture makes stages


def test_a_graded_unit_is_told_with_its_photos_before_it_is_flagged(grading: Stage) -> None:
    announce(grading, 77000004, destination=502)
    grading.drop("PACIFIC", "r.csv", (HEADER + ROW.format(grade="C")).encode())
    (unit,) = grading.world.return_(77000004).units
    assert unit.condition is not None and unit.disposition is not None
    assert (unit.condition["condition_category"], unit.disposition["disposition_outcome"]) == ("grade_c", "resale_hold")
    assert unit.condition["images"] == ["https://x/1.jpg", "https://x/2.jpg"]
    assert unit.condition["return_processor"] == "receiving@pacific.example"
    order = [e.kind for e in grading.effects(77000004)]
    assert order.index("loop.grade") < order.index("loop.flag")
    assert grading.story_of(77000004)["receipts"][0]["photos"] == ["https://x/1.jpg", "https://x/2.jpg"]


def test_many_units_go_in_groups_of_thirty(grading: Stage) -> None:
    grading.world.add_order(5000001078, "#1078", [("CAP-NVY-OS", 35)])
    grading.world.open_return(77000078, "#1078", [(780100 + n, "CAP-NVY-OS") for n in range(35)], 502)
    grading.import_rmas()
    rows = HEADER + "P2,RA77000078,2026-11-25T10:00:00Z,CAP-NVY-OS,35,GOOD,A,RESTOCK,,Y\n"
    grading.drop("PACIFIC", "r.csv", rows.encode())
    sent = [len(e.payload["items"]) for e in grading.effects(77000078) if e.kind == "loop.grade"]
    assert (sent, grading.calls("grade"), grading.calls("assess")) == ([30, 5], 2, 2)
    assert all(unit.condition for unit in grading.world.return_(77000078).units)
    assert grading.calls("process", 77000078) == 1


def test_a_grade_nobody_knows_is_asked_about_and_the_return_goes_on(grading: Stage) -> None:
    announce(grading, 77000004, destination=502)
    grading.drop("PACIFIC", "r.csv", (HEADER + ROW.format(grade="Z9")).encode())
    (task,) = grading.tasks("unknown grade")
    assert "'Z9'" in task["text"]
    assert (grading.calls("grade"), grading.calls("flag", 77000004)) == (0, 1)


def test_a_grading_whose_answer_was_lost_is_stored_again_and_a_refused_one_stops_nothing(grading: Stage) -> None:
    grading.simulator.faults.add("drop_after_effect", service="loop", match="grade")
    grading.simulator.faults.add("status", service="loop", match="assess", status=422)
    announce(grading, 77000004, destination=502)
    grading.drop("PACIFIC", "r.csv", (HEADER + ROW.format(grade="C")).encode())
    grading.wait(61)
    states = {e.kind: e.state.value for e in grading.effects(77000004)}
    assert (states["loop.grade"], states["loop.assess"], states["loop.flag"]) == ("confirmed", "failed", "confirmed")
    assert grading.calls("grade") == 2


def test_a_partner_without_words_for_it_is_not_told_of(stage: Stage) -> None:
    announce(stage, 77000004, destination=502)
    stage.drop("PACIFIC", "r.csv", (HEADER + ROW.format(grade="C")).encode())
    assert (stage.calls("grade"), stage.calls("assess")) == (0, 0)
    assert stage.story_of(77000004)["receipts"][0]["grade"] == "C"
