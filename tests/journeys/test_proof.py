"""A-142 and the conservation report: a broken identity is named with its return, and so is what was altered by hand."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from gateway.store import database
from gateway.views import conservation, goods, health
from tests.journeys.steps import announce, come_back, process_in_full, review
from tests.stage import HOUR, Stage


def alter(stage: Stage, statement: str) -> None:
    """Change the book by hand."""
    with stage.ctx.engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount == 1


def broken(stage: Stage) -> list[str]:
    """What `gateway verify` names."""
    return health.verify(stage.ctx.engine, stage.ctx.folders)


def report(stage: Stage, **period: Any) -> dict[str, Any]:
    """The conservation report."""
    with database.reading(stage.ctx.engine) as connection:
        return conservation.report(connection, **period)


def test_a142_an_altered_stock_movement_is_named_by_the_conservation_report_and_by_the_audit_check(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    stage.job("Upkeep")
    assert broken(stage) == []
    alter(stage, "UPDATE stock_ledger SET quantity = 3 WHERE rma = '77000001' AND sku = 'TEE-BLK-M'")
    (named,) = [row for row in report(stage)["broken"] if row["identity"] == "stock"]
    assert (named["rma"], "put 2 x TEE-BLK-M into NJ1, the stock ledger has 3" in named["text"]) == ("77000001", True)
    (audit,) = [said for said in broken(stage) if said.startswith("audit")]
    assert "RMA 77000001" in audit and "is 3 x TEE-BLK-M into NJ1, but was told as 2 x TEE-BLK-M into NJ1" in audit


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM stock_ledger WHERE rma = '77000001' AND sku = 'HOOD-GRY-M'", "is gone from the ledger"),
        ("UPDATE stock_ledger SET quantity = 11 WHERE warehouse = 'LA1' AND sku = 'CAP-NVY-OS'", "was told as 10 x CAP-NVY-OS into LA1"),
        ("UPDATE credit_invoices SET total = '140.41'", "total differ from what was told"),
        ("UPDATE refund_lines SET tax = '5.61' WHERE sku = 'HOOD-GRY-M'", "merchandise and tax 140.40 USD, the refund's lines 140.41"),
        (
            "UPDATE authorization_lines SET good = 1 WHERE sku = 'TEE-BLK-M'",
            "the line has good, second and over 1, 0, 0; its receipts add up to 2, 0, 0",
        ),
        ("UPDATE refunds SET credit = '1.00'", "the refund's credit 1.00"),
    ],
)
def test_it_names_what_was_altered_by_hand(stage: Stage, statement: str, words: str) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    alter(stage, statement)
    assert any(words in said for said in broken(stage)), broken(stage)


def test_it_counts_the_units_and_money_of_a_period(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    stage.import_refunds()
    found = report(stage, start=stage.ctx.soon(-HOUR), end=stage.ctx.soon(HOUR))
    assert found["units"] == {
        "authorized": 3,
        "good": 3,
        "second": 0,
        "missing": 0,
        "not_returned": 0,
        "received": 3,
        "restocked": 3,
        "second_quality": 0,
        "owner_unknown": 0,
        "waiting": 0,
    }
    assert (found["money"], found["returns"]) == ({"USD": {"credit": "140.40", "settled": "140.40"}}, 1)
    assert report(stage, start=stage.ctx.soon(HOUR), end=stage.ctx.soon(2 * HOUR))["returns"] == 0


def test_a083_the_unit_too_many_is_owner_unknown_and_the_book_is_conserved(stage: Stage) -> None:
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 2))
    review(stage, 77000004, restock=True)
    stage.import_refunds()
    units = report(stage)["units"]
    assert (units["received"], units["restocked"], units["owner_unknown"], units["waiting"]) == (2, 1, 1, 0)
    assert (broken(stage), stage.invoices()["6100004"]["total"]) == ([], "75.60")


def test_r114_a_bonus_that_loop_does_not_tell_is_an_exception_until_the_setting_allows_it(stage: Stage) -> None:
    stage.world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="credit", bonus_credit="10.00")
    stage.import_rmas()
    come_back(stage, 77000002)
    stage.loop_finishes()
    stage.import_refunds()
    (row,) = report(stage)["exceptions"]
    assert (row["rma"], row["asked"], row["given"], row["difference"]) == ("77000002", "129.60", "139.60", "10.00")
    assert report(stage, most_bonus=stage.money("10.00"))["exceptions"] == []
    assert broken(stage) == []


def test_it_lists_goods_credited_but_not_received_and_received_but_not_credited(stage: Stage) -> None:
    stage.world.open_return(77000001, "#1001", [(810001, "TEE-BLK-M"), (810002, "TEE-BLK-M")], 501)
    stage.import_rmas()
    come_back(stage, 77000001, ("TEE-BLK-M", 1))
    with database.reading(stage.ctx.engine) as connection:
        (waiting,) = goods.received_within(connection, None, None)
        assert goods.received_now(connection) == [waiting]
    assert (waiting["rma"], waiting["sku"], waiting["units"], str(waiting["value"])) == ("77000001", "TEE-BLK-M", 1, "32.40")
    review(stage, 77000001, restock=True)
    stage.import_refunds()
    with database.reading(stage.ctx.engine) as connection:
        (beyond,) = goods.credited_within(connection, None, None)
        assert goods.credited_now(connection) == [beyond]
        assert goods.received_within(connection, None, None) == []
    assert (beyond["rma"], beyond["units"], str(beyond["value"])) == ("77000001", 1, "32.40")


def test_it_lists_goods_that_shopify_took_back_without_a_return(stage: Stage) -> None:
    stage.world.refund("#1005", lines=[("HOOD-GRY-M", 1, "RETURN")], refund_id=6100005)
    stage.import_refunds()
    with database.reading(stage.ctx.engine) as connection:
        (row,) = goods.credited_within(connection, None, None)
        assert goods.credited_now(connection) == [row]
    assert (row["order"], row["refund_id"], str(row["value"]), row["why"]) == ("#1005", "6100005", "75.60", "refunded in Shopify without a return")
    assert broken(stage) == []
