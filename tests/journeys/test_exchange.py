"""A-010 to A-012, A-092, A-093, A-097: exchanges, their orders, and their money."""

from __future__ import annotations

from typing import Any

from gateway.simulator.world import open_known_return
from tests.journeys.steps import announce, come_back, process_in_full, ways
from tests.stage import HOUR, Stage


def test_a010_even_exchange_restocks_credits_and_offsets_by_a_miscellaneous_charge(stage: Stage) -> None:
    process_in_full(stage, 77000002)
    stage.import_refunds()
    assert stage.stock("NJ1", "DRS-RED-6") == 11
    assert (stage.invoices()["6100002"]["total"], ways(stage, 6100002)) == ("129.60", {"exchange credit": "129.60"})
    assert stage.refund(6100002)["cash"] == "0.00"

    stage.job("ShopifyImportOrders")
    order = stage.orders()["EXC-1002"]
    expected = {"merchandise": "120.00", "tax": "9.60", "misc_charge": "-129.60", "discount": "0.00", "ar": "0.00"}
    assert {name: order[name] for name in expected} == expected
    assert (order["rma"], order["original_order"]) == ("77000002", "#1002")

    again = stage.job("ShopifyImportOrders")
    assert (again.done, again.failed) == (0, 0)
    assert stage.orders() == {"EXC-1002": order}


def test_a011_with_loop_discount_the_offset_is_a_discount_and_uncovered_tax_a_labelled_charge(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=(("gateway.toml", "loop_discount = false", "loop_discount = true"),))
    stage.world.settings.loop_discount = True
    process_in_full(stage, 77000002)
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    order = stage.orders()["EXC-1002"]
    expected = {"merchandise": "120.00", "discount": "-120.00", "tax": "9.60", "misc_charge": "-9.60", "ar": "0.00"}
    assert {name: order[name] for name in expected} == expected
    assert order["misc_label"] == "tax covered by return credit"


def test_a012_an_exchange_order_that_is_not_there_yet_is_waited_for_and_alerted_after_24_hours(stage: Stage) -> None:
    stage.world.settings.processing_delay = 30 * HOUR
    announce(stage, 77000002)
    come_back(stage, 77000002)
    assert stage.calls("process", 77000002) == 1
    first = stage.job("ShopifyImportOrders")
    assert (first.done, first.failed) == (0, 0)
    assert stage.story_of(77000002)["exchange"] == "waiting for exchange order"
    assert stage.story_of(77000002)["waits_for"] == "waiting for exchange order"

    stage.wait(23 * HOUR)
    stage.job("ShopifyImportOrders")
    assert [a for a in stage.alerts() if a["kind"] == "exchange order missing"] == []
    stage.wait(1.1 * HOUR)
    stage.job("ShopifyImportOrders")
    (alert,) = [a for a in stage.alerts() if a["kind"] == "exchange order missing"]
    assert alert["subject"] == "77000002"

    stage.wait(6 * HOUR)
    stage.loop_finishes()
    stage.job("ShopifyImportOrders")
    assert stage.orders()["EXC-1002"]["ar"] == "0.00"
    assert [a for a in stage.alerts() if a["kind"] == "exchange order missing"] == []
    assert stage.story_of(77000002)["exchange"] == "exchange order EXC-1002 imported"


def test_a092_an_exchange_for_more_shows_the_upsell_as_collected(stage: Stage) -> None:
    stage.world.add_item("DRS-RED-9", "840000100092", "140.00")
    stage.world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="exchange+upsell", exchanges=["DRS-RED-9"])
    stage.import_rmas()
    come_back(stage, 77000002)
    stage.loop_finishes()
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    (order,) = stage.orders().values()
    expected = {"merchandise": "140.00", "tax": "11.20", "misc_charge": "-129.60", "collected": "21.60", "ar": "0.00"}
    assert {name: order[name] for name in expected} == expected
    assert ways(stage, 6100002) == {"exchange credit": "129.60"}
    assert stage.money("129.60") + stage.money(order["collected"]) == stage.money("151.20")


def test_a093_an_exchange_for_less_pays_the_rest_out(stage: Stage) -> None:
    stage.world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="exchange+refund", exchanges=["CAP-NVY-OS"])
    stage.import_rmas()
    come_back(stage, 77000002)
    stage.loop_finishes()
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    (order,) = stage.orders().values()
    assert (order["misc_charge"], order["ar"]) == ("-27.00", "0.00")
    assert stage.invoices()["6100002"]["total"] == "129.60"
    assert ways(stage, 6100002) == {"cash": "102.60", "exchange credit": "27.00"}


def test_a097_an_exchange_kept_inside_the_original_order_makes_no_order_and_says_why(stage: Stage) -> None:
    stage.world.settings.native_exchanges = True
    open_known_return(stage.world, 77000002)
    stage.import_rmas()
    come_back(stage, 77000002)
    stage.loop_finishes()
    stage.import_refunds()
    stage.job("ShopifyImportOrders")
    assert stage.orders() == {}
    assert stage.invoices()["6100002"]["total"] == "129.60"
    assert stage.ra("RA77000002").state.value == "closed"
    assert stage.story_of(77000002)["exchange"] == "exchange kept inside the original order #1002"
    assert stage.alerts() == []
