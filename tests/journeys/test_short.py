"""A-030 to A-034: less came back than was announced."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.steps import announce, come_back, review
from tests.stage import Stage

REMOVE = ("gateway.toml", 'short = "flag"', 'short = "remove_and_process"')
SHORT = (("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0))


@pytest.mark.parametrize("lines", [SHORT, SHORT[:2]], ids=["a030-quantity-0", "a031-line-absent"])
def test_a030_a031_a_short_receipt_is_flagged_and_follows_the_reviewer(stage: Stage, lines: tuple[tuple[str, int], ...]) -> None:
    announce(stage, 77000003)
    come_back(stage, 77000003, *lines)
    assert (stage.calls("flag", 77000003), stage.calls("process", 77000003)) == (1, 0)
    assert "CAP-NVY-OS short 1" in stage.notes(77000003)[1]

    review(stage, 77000003, remove=[830003])
    stage.import_refunds()
    assert stage.invoices()["6100003"]["merchandise"] == "100.00"
    assert stage.invoices()["6100003"]["tax"] == "8.00"
    assert stage.invoices()["6100003"]["total"] == "108.00"
    assert [stage.stock("NJ1", sku) for sku in ("TEE-BLK-M", "HOOD-GRY-M", "CAP-NVY-OS")] == [11, 11, 10]
    assert stage.lines("RA77000003") == {"TEE-BLK-M": (1, 1, 0, 0), "HOOD-GRY-M": (1, 1, 0, 0), "CAP-NVY-OS": (1, 0, 0, 1)}
    assert stage.ra("RA77000003").state.value == "closed"
    assert stage.tasks() == []


def test_a032_under_the_remove_policy_the_missing_line_is_removed_and_nothing_flagged(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(REMOVE,))
    announce(stage, 77000003)
    come_back(stage, 77000003, *SHORT)
    (call,) = stage.simulator.calls.all("remove", 77000003)
    assert (call.query, call.accepted, stage.calls("flag")) == ({"line_item_id": "830003"}, True, 0)
    stage.loop_finishes()
    stage.import_refunds()
    assert stage.invoices()["6100003"]["total"] == "108.00"
    assert stage.lines("RA77000003")["CAP-NVY-OS"] == (1, 0, 0, 1)
    assert stage.ra("RA77000003").state.value == "closed"


def test_a032_an_exchange_line_is_flagged_even_under_the_remove_policy(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(REMOVE,))
    units = [(830001, "TEE-BLK-M"), (830002, "HOOD-GRY-M"), (830003, "CAP-NVY-OS", {"outcome": "exchange"})]
    stage.world.open_return(77000003, "#1003", units, 501, outcome="exchange+refund", exchanges=["CAP-NVY-OS"])
    stage.import_rmas()
    come_back(stage, 77000003, *SHORT)
    assert (stage.calls("flag", 77000003), stage.calls("remove")) == (1, 0)


@pytest.mark.parametrize("edits", [(), (REMOVE,)], ids=["flag", "remove-policy"])
def test_a033_units_of_different_price_are_listed_as_candidates_and_none_is_guessed(make_stage: Any, edits: tuple[Any, ...]) -> None:
    stage: Stage = make_stage(edits=edits)
    units = [(810001, "TEE-BLK-M"), (810002, "TEE-BLK-M", {"price": "24.00", "tax": "1.92"})]
    stage.world.open_return(77000001, "#1001", units, 501)
    stage.import_rmas()
    come_back(stage, 77000001, ("TEE-BLK-M", 1))
    note = stage.notes(77000001)[1]
    assert "32.40" in note
    assert "25.92" in note
    candidates = stage.story_of(77000001)["decision"]["candidates"]
    assert candidates == ["TEE-BLK-M unit 810001: 32.40", "TEE-BLK-M unit 810002: 25.92"]
    assert (stage.calls("flag", 77000001), stage.calls("remove"), stage.calls("process")) == (1, 0, 0)


def test_a034_nothing_came_is_flagged_as_an_empty_parcel_with_every_item(stage: Stage) -> None:
    announce(stage, 77000003)
    come_back(stage, 77000003, ("TEE-BLK-M", 0), ("HOOD-GRY-M", 0), ("CAP-NVY-OS", 0))
    assert (stage.calls("flag", 77000003), stage.calls("process", 77000003)) == (1, 0)
    decision = stage.story_of(77000003)["decision"]
    assert decision["reasons"][0] == "EMPTY_PARCEL"
    note = stage.notes(77000003)[1]
    assert all(words in note for words in ("empty parcel", "TEE-BLK-M", "HOOD-GRY-M", "CAP-NVY-OS"))
