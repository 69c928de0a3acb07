"""A-090 to A-096, A-123: what is credited, how it is settled, and what a month comes to."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from gateway.store import database
from gateway.views import tieout
from tests.journeys.steps import announce, come_back, process_in_full, review, ways
from tests.stage import Stage


def test_a090_a_discounted_unit_is_credited_net(stage: Stage) -> None:
    stage.world.add_order(5000001090, "#1090", [("TEE-BLK-M", 2)], location=7001, discount={"percentage": 20})
    stage.world.open_return(77000090, "#1090", [(900001, "TEE-BLK-M")], 501)
    stage.import_rmas()
    stage.receive("RA77000090", [("TEE-BLK-M", 1)], receipt_no="WR5590", final=True)
    stage.loop_finishes()
    stage.import_refunds()
    (invoice,) = stage.invoices().values()
    assert (invoice["merchandise"], invoice["tax"], invoice["total"]) == ("24.00", "1.92", "25.92")


def test_a091_a_fee_kept_is_part_of_the_settlement(stage: Stage) -> None:
    stage.world.open_return(77000003, "#1003", [(830001, "TEE-BLK-M")], 501, handling_fee="7.95")
    stage.import_rmas()
    come_back(stage, 77000003, ("TEE-BLK-M", 1))
    stage.loop_finishes()
    stage.import_refunds()
    assert stage.invoices()["6100003"]["total"] == "32.40"
    assert ways(stage, 6100003) == {"cash": "24.45", "fee kept": "7.95"}


def test_a094_store_credit_is_no_cash(stage: Stage) -> None:
    stage.world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="credit")
    stage.import_rmas()
    come_back(stage, 77000002)
    stage.loop_finishes()
    stage.import_refunds()
    assert stage.invoices()["6100002"]["total"] == "129.60"
    assert ways(stage, 6100002) == {"store credit": "129.60"}
    assert (stage.refund(6100002)["cash"], stage.stock("NJ1", "DRS-RED-6")) == ("0.00", 11)


def test_a095_refunded_shipping_is_credited_without_stock(stage: Stage) -> None:
    stage.world.refund("#1001", shipping="8.00", refund_id=6100095)
    tally = stage.import_refunds()
    invoice = stage.invoices()["6100095"]
    assert (invoice["merchandise"], invoice["shipping"], invoice["total"]) == ("0.00", "8.00", "8.00")
    assert {stage.stock("NJ1", sku) for sku in ("TEE-BLK-M", "HOOD-GRY-M")} == {10}
    assert (tally.done, tally.failed, stage.tasks()) == (1, 0, [])


def test_a096_stock_never_exceeds_what_was_received_and_the_rest_is_a_task(stage: Stage) -> None:
    stage.world.open_return(77000001, "#1001", [(810001, "TEE-BLK-M"), (810002, "TEE-BLK-M")], 501)
    stage.import_rmas()
    come_back(stage, 77000001, ("TEE-BLK-M", 1))
    review(stage, 77000001, restock=True)
    stage.import_refunds()
    assert stage.stock("NJ1", "TEE-BLK-M") == 11
    assert stage.invoices()["6100001"]["total"] == "64.80"
    (task,) = stage.tasks("refund needs a look")
    assert "the refund restocks 2, the receipt has 1; 1 not put in stock" in task["text"]


def test_a123_a_month_of_four_returns_adds_up(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    process_in_full(stage, 77000002)
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    review(stage, 77000004, restock=False)
    announce(stage, 77000003)
    come_back(stage, 77000003, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0))
    review(stage, 77000003, remove=[830003])
    stage.import_refunds()
    stage.job("ShopifyImportOrders")

    assert sorted(i["total"] for i in stage.invoices().values()) == ["108.00", "129.60", "140.40", "75.60"]
    assert sum(Decimal(i["total"]) for i in stage.invoices().values()) == Decimal("453.60")
    settled = [s for invoice in stage.invoices().values() for s in invoice["settlements"]]
    by_kind = {kind: sum(Decimal(s["amount"]) for s in settled if s["kind"] == kind) for kind in {s["kind"] for s in settled}}
    assert by_kind == {"cash": Decimal("324.00"), "exchange credit": Decimal("129.60")}
    lines = [line for rma in (77000001, 77000002, 77000003, 77000004) for line in stage.lines(f"RA{rma}").values()]
    assert [sum(line[place] for line in lines) for place in (1, 2, 3)] == [6, 1, 1]
    assert {stage.ra(f"RA{rma}").state.value for rma in (77000001, 77000002, 77000003, 77000004)} == {"closed"}
    assert stage.tasks() == []

    now = stage.ctx.now()
    with database.reading(stage.ctx.engine) as connection:
        month = tieout.period(connection, start=now - timedelta(days=30), end=now + timedelta(days=1))
    assert month["credits"]["USD"] | {"settled": dict(month["credits"]["USD"]["settled"])} == {
        "invoices": 4,
        "merchandise": "420.00",
        "tax": "33.60",
        "shipping": "0.00",
        "duties": "0.00",
        "adjustment": "0.00",
        "total": "453.60",
        "settled": {"cash": "324.00", "exchange credit": "129.60"},
    }
    assert month["receipts"] == {"receipts": 4, "good": 6, "second": 1, "not_returned": 1, "over": 0}
    assert month["stock"] == {"refund": {"NJ1": 6, "NJ1-SQ": 1}}
    assert month["refunds"] == {"imported": 4, "skipped": 0, "held": 0}
    assert (month["loop"]["USD"]["return_total"], month["orders"]["USD"]["ar"]) == ("453.60", "0.00")
    assert month["differences"] == []
