"""R-110 to R-117, R-122, R-124: the kinds of refunds beyond the plain one, each with its exact figures."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from gateway.store import database, ledger
from gateway.views import goods, health
from tests.journeys.steps import announce, come_back, process_in_full, review, ways
from tests.stage import HOUR, Stage


def split(stage: Stage, refund_id: int) -> dict[str, str]:
    """How a credit is settled by now."""
    with database.reading(stage.ctx.engine) as connection:
        found = ledger.split(connection, next(i for i in ledger.list_invoices(connection) if i["refund_id"] == str(refund_id)))
    return {kind: str(amount) for kind, amount in found.items()}


def proven(stage: Stage) -> bool:
    """Whether the book verifies."""
    return health.verify(stage.ctx.engine, stage.ctx.folders) == []


def test_r110_dispositions_of_shopifys_own_returns_decide_where_goods_go(stage: Stage) -> None:
    stage.world.add_order(5000001200, "#1200", [("TEE-BLK-M", 3)], location=7001)
    stage.world.open_return(77000200, "#1200", [(n, "TEE-BLK-M") for n in (1, 2, 3)], 501)
    stage.import_rmas()
    stage.receive("RA77000200", [("TEE-BLK-M", 2, 1)], receipt_no="WR5600", final=True)
    stage.world.native_return(
        "#1200", [("TEE-BLK-M", 1, "RESTOCKED", 7001), ("TEE-BLK-M", 1, "MISSING", None), ("TEE-BLK-M", 1, "NOT_RESTOCKED", None)], 5551
    )
    stage.world.close(77000200)
    stage.wait(1)
    stage.import_rmas()
    stage.world.refund("#1200", lines=[("TEE-BLK-M", 3, "NO_RESTOCK")], refund_id=6100200, return_id=5551)
    stage.wait(700)
    stage.import_refunds()
    assert (stage.stock("NJ1", "TEE-BLK-M"), stage.stock("NJ1-SQ", "TEE-BLK-M")) == (11, 1)
    assert "TEE-BLK-M: 1 missing by Shopify's return" in stage.refund(6100200)["message"]
    assert (stage.invoices()["6100200"]["total"], proven(stage)) == ("97.20", True)


@pytest.mark.parametrize(("kind", "places"), [("LEGACY_RESTOCK", (11, 0)), ("NO_RESTOCK", (10, 0)), ("RETURN", (11, 0)), ("CANCEL", (10, 0))])
def test_r110_without_a_return_only_shopifys_own_restock_counts(stage: Stage, kind: str, places: tuple[int, int]) -> None:
    stage.world.refund("#1004", lines=[("HOOD-GRY-M", 1, kind)], refund_id=6100210)
    stage.import_refunds()
    assert (stage.stock("NJ1", "HOOD-GRY-M"), stage.stock("NJ1-SQ", "HOOD-GRY-M")) == places
    assert [i["total"] for i in stage.invoices().values()] == ([] if kind == "CANCEL" else ["75.60"])


def test_r124_goods_first_and_money_later_is_one_credit(stage: Stage) -> None:
    stage.world.open_return(77000004, "#1004", [(840001, "HOOD-GRY-M")], 501, two_step=True)
    stage.import_rmas()
    come_back(stage, 77000004)
    stage.loop_finishes()
    stage.import_refunds()
    assert [i["total"] for i in stage.invoices().values()] == ["75.60"]
    assert (ways(stage, 6100004), split(stage, 6100004)) == ({"to be paid": "75.60"}, {"cash": "75.60"})
    assert (stage.tasks(), proven(stage)) == ([], True)
    assert sorted((r["credit"], r["cash"]) for r in (stage.refund(n) for n in stage.world.refunds)) == [("0.00", "75.60"), ("75.60", "0.00")]


def test_r124_a_refund_of_the_exchange_order_settles_the_credit_and_makes_no_second(stage: Stage) -> None:
    process_in_full(stage, 77000002)
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    stage.wait(HOUR)
    stage.world.cancel_order("EXC-1002")
    stage.world.refund("EXC-1002", lines=[("DRS-RED-8", 1, "CANCEL")], refund_id=6100220)
    stage.import_refunds()
    assert [i["total"] for i in stage.invoices().values()] == ["129.60"]
    assert (split(stage, 6100002), stage.refund(6100220)["cash"]) == ({"cash": "129.60"}, "129.60")
    assert (stage.stock("NJ1", "DRS-RED-6"), stage.stock("NJ1", "DRS-RED-8"), proven(stage)) == (11, 10, True)


def test_r124_money_for_store_credit_given_before_settles_it(stage: Stage) -> None:
    stage.world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="credit")
    stage.import_rmas()
    come_back(stage, 77000002)
    stage.loop_finishes()
    stage.import_refunds()
    stage.world.refund("#1002", adjustments=[("-129.60",)], transactions=[("shopify_payments", "129.60")], refund_id=6100230)
    stage.wait(HOUR)
    stage.import_refunds()
    assert (len(stage.invoices()), split(stage, 6100002)) == (1, {"cash": "129.60"})
    assert "129.60 paid out settles the credit CI-6100002 (store credit)" in stage.refund(6100230)["message"]


def test_r115_goodwill_beside_goods_is_an_adjustment_of_its_own(stage: Stage) -> None:
    stage.world.refund("#1004", lines=[("HOOD-GRY-M", 1, "RETURN")], adjustments=[("-5.00", "CUSTOMER")], refund_id=6100240)
    stage.import_refunds()
    invoice = stage.invoices()["6100240"]
    assert (invoice["merchandise"], invoice["tax"], invoice["adjustment"], invoice["total"]) == ("70.00", "5.60", "5.00", "80.60")
    assert json.loads(invoice["adjustments"]) == [{"amount": "-5.00", "reason": "CUSTOMER"}]
    assert ways(stage, 6100240) == {"cash": "80.60"}


def test_r112_duties_and_shipping_are_credited_once(stage: Stage) -> None:
    stage.world.refund("#1001", shipping="8.00", duties=["3.10"], refund_id=6100250)
    stage.import_refunds()
    invoice = stage.invoices()["6100250"]
    assert (invoice["shipping"], invoice["duties"], invoice["total"], stage.tasks()) == ("8.00", "3.10", "11.10", [])
    stage.world.refund("#1001", shipping="8.00", refund_id=6100251)
    stage.wait(HOUR)
    stage.import_refunds()
    assert "16.00 USD of shipping is refunded on order #1001, which paid 8.00" in stage.tasks("refund needs a look")[0]["text"]


def test_r116_the_shoppers_amounts_stand_beside_the_shops_and_are_never_added(stage: Stage) -> None:
    stage.world.add_order(5000001260, "#1260", [("TEE-BLK-M", 2)], location=7001, presentment=("EUR", "0.90"))
    stage.world.refund("#1260", lines=[("TEE-BLK-M", 1, "RETURN")], refund_id=6100260)
    stage.import_refunds()
    invoice = stage.invoices()["6100260"]
    assert (invoice["currency"], invoice["total"], invoice["shopper_currency"]) == ("USD", "32.40", "EUR")
    assert json.loads(invoice["shopper"]) == {"merchandise": "27.00", "tax": "2.16", "shipping": "0.00", "duties": "0.00", "cash": "29.16"}


def test_r116_credits_of_two_shop_currencies_are_totalled_apart(stage: Stage) -> None:
    stage.world.add_order(5000001270, "#1270", [("TEE-BLK-M", 1)], location=7001, currency="JPY")
    stage.world.refund("#1270", lines=[("TEE-BLK-M", 1, "RETURN", {"subtotal": "3000", "tax": "300"})], refund_id=6100270)
    stage.world.refund("#1004", lines=[("HOOD-GRY-M", 1, "RETURN")], refund_id=6100271)
    stage.import_refunds()
    assert {i["currency"]: i["total"] for i in stage.invoices().values()} == {"JPY": "3300", "USD": "75.60"}
    with database.reading(stage.ctx.engine) as connection:
        from gateway.views import tieout

        found = tieout.credits_(connection, stage.ctx.soon(-HOUR), stage.ctx.soon(HOUR))
    assert {currency: row["total"] for currency, row in found.items()} == {"JPY": "3300", "USD": "75.60"}


def test_r113_cash_rounding_is_shown_beside_the_cash(stage: Stage) -> None:
    stage.world.add_order(5000001280, "#1280", [("SOCK-WHT-OS", 1)], location=7001, currency="CHF", gateway="cash")
    stage.world.refund("#1280", lines=[("SOCK-WHT-OS", 1, "RETURN")], transactions=[("cash", "12.96")], rounding="-0.01", refund_id=6100280)
    stage.import_refunds()
    assert (ways(stage, 6100280), stage.invoices()["6100280"]["total"]) == ({"cash": "12.95", "cash rounding": "0.01"}, "12.96")
    assert proven(stage)


def test_r113_card_and_gift_card_are_split_by_gateway(stage: Stage) -> None:
    stage.world.refund(
        "#1004", lines=[("HOOD-GRY-M", 1, "RETURN")], transactions=[("shopify_payments", "50.00"), ("gift_card", "25.60")], refund_id=6100290
    )
    stage.import_refunds()
    assert ways(stage, 6100290) == {"cash": "50.00", "store credit": "25.60"}


def test_r112_a_gift_card_line_is_credited_without_stock(stage: Stage) -> None:
    stage.world.add_item("CARD-50", "840000100300", "50.00", requires_shipping=False, is_gift_card=True)
    stage.world.add_order(5000001300, "#1300", [("CARD-50", 1)], shipped=False)
    stage.world.refund("#1300", lines=[("CARD-50", 1, "NO_RESTOCK", {"tax": "0.00"})], refund_id=6100300)
    stage.import_refunds()
    with database.reading(stage.ctx.engine) as connection:
        (line,) = ledger.lines_of_refund(connection, "6100300")
    assert (line["goods"], line["result"], stage.invoices()["6100300"]["total"]) == ("gift card", "imported without stock", "50.00")


def test_r117_a_refund_waits_behind_an_earlier_one_of_its_order_that_is_held(stage: Stage) -> None:
    announce(stage, 77000004, destination=503)
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    review(stage, 77000004, restock=False)
    stage.world.refund("#1004", adjustments=[("-5.00",)], transactions=[("shopify_payments", "5.00")], refund_id=6100310, at=stage.world.now())
    stage.world.refund("#1003", shipping="0.00", lines=[("CAP-NVY-OS", 1, "NO_RESTOCK")], refund_id=6100311)
    stage.wait(HOUR)
    stage.import_refunds()
    assert stage.refund(6100310)["message"] == "held: waiting for refund 6100004 of the same order, which is held"
    assert stage.refund(6100311)["status"] == "imported"
    stage.reopen(("gateway.toml", 'code = "TX1"\n', 'code = "TX1"\nsecond_quality = "NJ1-SQ"\n'))
    stage.import_refunds()
    assert [stage.refund(n)["status"] for n in (6100004, 6100310)] == ["imported", "imported"]
    assert proven(stage)


def test_r122_an_upsell_that_nobody_paid_is_open_and_on_finances_list(stage: Stage) -> None:
    stage.world.add_item("DRS-RED-9", "840000100092", "140.00")
    stage.world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="exchange+upsell", exchanges=["DRS-RED-9"])
    stage.import_rmas()
    come_back(stage, 77000002)
    stage.loop_finishes()
    order = stage.world.order("EXC-1002")
    order.transactions = [t for t in order.transactions if t.gateway == "manual"]
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    with database.reading(stage.ctx.engine) as connection:
        (row,) = goods.open_orders(connection, None, None)
    assert (row["name"], *(str(row[name]) for name in ("misc_charge", "collected", "ar"))) == ("EXC-1002", "-129.60", "0.00", "21.60")
    assert "A/R is 21.60 USD" in stage.tasks("A/R not zero")[0]["text"]


def test_r114_two_refunds_of_a_return_with_a_fee_use_it_once(stage: Stage) -> None:
    stage.world.open_return(77000001, "#1001", [(810001, "TEE-BLK-M"), (810003, "HOOD-GRY-M")], 501, handling_fee="7.95")
    stage.import_rmas()
    come_back(stage, 77000001, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1))
    stage.loop_finishes()
    stage.import_refunds()
    assert (stage.invoices()["6100001"]["total"], ways(stage, 6100001)) == ("108.00", {"cash": "100.05", "fee kept": "7.95"})
    assert sum(Decimal(amount) for amount in ways(stage, 6100001).values()) == Decimal("108.00")


def test_r030_a_changed_refund_is_listed_once_and_stays_listed(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    stage.wait(2 * HOUR)
    stage.world.add_transaction(6100001, "shopify_payments", "5.00")
    for _ in range(3):
        stage.import_refunds()
    assert [t["subject"] for t in stage.tasks("refund changed")] == ["6100001"]
    assert stage.refund(6100001)["message"] == "Refund ID Already Exists, changed since import"
    assert [i["total"] for i in stage.invoices().values()] == ["140.40"]


@pytest.mark.parametrize(("end", "kind", "tasks"), [("SUCCESS", "cash", 0), ("FAILURE", "unexplained", 1)])
def test_r113_a_pending_payment_is_followed_to_its_end(stage: Stage, end: str, kind: str, tasks: int) -> None:
    stage.world.refund("#1004", lines=[("HOOD-GRY-M", 1, "RETURN")], transactions=[("shopify_payments", "75.60", "PENDING")], refund_id=6100320)
    stage.import_refunds()
    assert split(stage, 6100320) == {"pending": "75.60"}
    stage.wait(2 * HOUR)
    stage.world.settle_transaction(6100320, end)
    for _ in range(2):
        stage.import_refunds()
    assert split(stage, 6100320) == {kind: "75.60"}
    assert (len(stage.tasks()), [i["total"] for i in stage.invoices().values()], proven(stage)) == (tasks, ["75.60"], True)
