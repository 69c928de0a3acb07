"""A-040 to A-043: refunds of what never shipped, and refunds seen before."""

from __future__ import annotations

from tests.journeys.steps import process_in_full
from tests.stage import HOUR, Stage


def test_a040_only_the_line_that_shipped_is_imported(stage: Stage) -> None:
    stage.world.refund("#1005", lines=[("HOOD-GRY-M", 1, "RETURN"), ("CAP-NVY-OS", 1, "CANCEL")], refund_id=6100005)
    assert sum(t.amount for t in stage.world.refunds[6100005].transactions) == stage.money("102.60")
    tally = stage.import_refunds()
    assert (stage.stock("NJ1", "HOOD-GRY-M"), stage.stock("NJ1", "CAP-NVY-OS")) == (11, 10)
    assert stage.invoices()["6100005"]["total"] == "75.60"
    assert "CAP-NVY-OS never shipped, 27.00 not imported" in stage.refund(6100005)["message"]
    assert [reason for reason in tally.reasons if "CAP-NVY-OS never shipped, 27.00 not imported" in reason]
    assert tally.failed == 0


def test_a041_a_refund_of_an_order_that_never_shipped_is_skipped_with_its_value_and_is_no_error(stage: Stage) -> None:
    stage.world.cancel_order("#1006")
    stage.world.refund("#1006", lines=[("DRS-RED-6", 1, "CANCEL")], refund_id=6100006)
    tally = stage.import_refunds()
    assert (tally.read, tally.done, tally.skipped, tally.failed) == (1, 0, 1, 0)
    refund = stage.refund(6100006)
    assert (refund["status"], refund["message"]) == ("skipped", "skipped: never shipped, 129.60 not imported")
    assert (stage.invoices(), stage.stock("NJ1", "DRS-RED-6"), stage.tasks(), stage.alerts()) == ({}, 10, [], [])


def test_a042_of_three_ordered_and_two_shipped_units_two_are_restocked_and_credited(stage: Stage) -> None:
    stage.world.add_order(5000001042, "#1042", [("TEE-BLK-M", 3)], shipped=False)
    stage.world.ship("#1042", {"TEE-BLK-M": 2}, location=7001)
    stage.world.refund("#1042", lines=[("TEE-BLK-M", 3, "RETURN")], refund_id=6100042)
    stage.import_refunds()
    assert stage.stock("NJ1", "TEE-BLK-M") == 12
    assert stage.invoices()["6100042"]["total"] == "64.80"
    assert stage.refund(6100042)["message"].startswith("TEE-BLK-M never shipped, 32.40 not imported")


def test_a043_a_refund_seen_again_is_information(stage_on_both: Stage) -> None:
    stage = stage_on_both
    process_in_full(stage, 77000001)
    stage.import_refunds()
    before = stage.invoices(), stage.stock("NJ1", "TEE-BLK-M")
    tally = stage.import_refunds()
    assert stage.refund(6100001)["message"] == "Refund ID Already Exists"
    assert (tally.read, tally.done, tally.skipped, tally.failed) == (1, 0, 1, 0)
    assert tally.reasons == ["refund 6100001: Refund ID Already Exists"]
    assert (stage.alerts(), stage.tasks()) == ([], [])
    assert (stage.invoices(), stage.stock("NJ1", "TEE-BLK-M")) == before


def test_a043_a_refund_that_changed_since_its_import_goes_to_review_and_posts_nothing(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    before = stage.invoices()
    stage.wait(2 * HOUR)
    stage.world.add_transaction(6100001, "shopify_payments", "5.00")
    tally = stage.import_refunds()
    assert stage.refund(6100001)["message"] == "Refund ID Already Exists, changed since import"
    assert (stage.invoices(), tally.failed) == (before, 0)
    assert [t["subject"] for t in stage.tasks("refund changed")] == ["6100001"]
