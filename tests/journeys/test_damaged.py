"""A-020 to A-023: damaged units, their review, and where they go."""

from __future__ import annotations

import pytest

from tests.journeys.steps import announce, come_back, review
from tests.stage import Stage

DAMAGED = ("HOOD-GRY-M", 0, 1)


def test_a020_damaged_is_flagged_and_the_unit_goes_to_second_quality(stage_on_both: Stage) -> None:
    stage = stage_on_both
    announce(stage, 77000004)
    come_back(stage, 77000004, DAMAGED, number="WR5504")
    assert (stage.calls("flag", 77000004), stage.calls("process", 77000004)) == (1, 0)
    (_, note) = stage.notes(77000004)
    assert all(word in note for word in ("HOOD-GRY-M 1 damaged", "WR5504", "NJ1", "2026-11-23"))
    assert len(note) <= 254

    review(stage, 77000004, restock=False)
    stage.import_refunds()
    assert (stage.stock("NJ1", "HOOD-GRY-M"), stage.stock("NJ1-SQ", "HOOD-GRY-M")) == (10, 1)
    assert stage.invoices()["6100004"]["total"] == "75.60"
    stage.job("ShopifyExportInventory")
    assert (stage.effects("7001/HOOD-GRY-M"), stage.calls("SetQuantities")) == ([], 0)
    assert stage.ra("RA77000004").state.value == "closed"


def test_a021_a_reviewer_who_leaves_restock_ticked_overrides_the_condition(stage: Stage) -> None:
    announce(stage, 77000004)
    come_back(stage, 77000004, DAMAGED)
    review(stage, 77000004, restock=True)
    stage.import_refunds()
    assert (stage.stock("NJ1", "HOOD-GRY-M"), stage.stock("NJ1-SQ", "HOOD-GRY-M")) == (11, 0)
    assert stage.invoices()["6100004"]["total"] == "75.60"
    assert "condition overridden by reviewer" in stage.refund(6100004)["message"]


def test_a022_without_a_second_quality_warehouse_the_refund_is_held_whole_and_posts_once_afterwards(stage: Stage) -> None:
    announce(stage, 77000004, destination=503)
    come_back(stage, 77000004, DAMAGED)
    review(stage, 77000004, restock=False)
    stage.import_refunds()
    refund = stage.refund(6100004)
    assert refund["status"] == "held"
    assert refund["message"].startswith("held: TX1 has no second-quality warehouse")
    assert "second_quality" in refund["message"]
    assert (stage.invoices(), stage.stock("TX1", "HOOD-GRY-M"), stage.stock("NJ1-SQ", "HOOD-GRY-M")) == ({}, 10, 0)

    stage.reopen(("gateway.toml", 'code = "TX1"\n', 'code = "TX1"\nsecond_quality = "NJ1-SQ"\n'))
    for _ in range(2):
        stage.import_refunds()
        assert stage.stock("NJ1-SQ", "HOOD-GRY-M") == 1
        assert [invoice["total"] for invoice in stage.invoices().values()] == ["75.60"]
    assert stage.tasks("held refund") == []


def test_a023_a_keep_item_refund_moves_no_stock_but_is_credited(stage: Stage) -> None:
    stage.world.refund("#1003", lines=[("CAP-NVY-OS", 1, "NO_RESTOCK")], refund_id=6100009)
    stage.import_refunds()
    assert {stage.stock(w, "CAP-NVY-OS") for w in ("NJ1", "LA1", "TX1")} == {10}
    assert {stage.stock(w, "CAP-NVY-OS") for w in ("NJ1-SQ", "LA1-SQ")} == {0}
    assert stage.invoices()["6100009"]["total"] == "27.00"


def test_a023_a_kept_unit_of_a_received_return_moves_no_stock_either(stage: Stage) -> None:
    units = [(830002, "HOOD-GRY-M"), (830003, "CAP-NVY-OS", {"outcome": "keep"})]
    stage.world.open_return(77000003, "#1003", units, 501)
    stage.import_rmas()
    come_back(stage, 77000003, ("HOOD-GRY-M", 1))
    stage.loop_finishes()
    stage.import_refunds()
    assert (stage.stock("NJ1", "HOOD-GRY-M"), stage.stock("NJ1", "CAP-NVY-OS"), stage.stock("NJ1-SQ", "CAP-NVY-OS")) == (11, 10, 0)
    assert stage.invoices()["6100003"]["total"] == "102.60"


@pytest.mark.parametrize("code", ["01", "04", "05", "09", "10"])
def test_a020_every_condition_code_for_second_quality_flags(stage: Stage, code: str) -> None:
    from gateway.simulator.partner import Line

    announce(stage, 77000004)
    come_back(stage, 77000004, Line("HOOD-GRY-M", 0, 1, damage=code))
    assert stage.lines("RA77000004") == {"HOOD-GRY-M": (1, 0, 1, 0)}
    assert (stage.calls("flag", 77000004), stage.calls("process", 77000004)) == (1, 0)
