"""What a refund means for stock and money."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.documents import Adjustment, Refund, RefundLine, Return, Transaction, Warehouse
from gateway.domain.refunding import Surroundings, assess

AT = datetime(2026, 11, 24, tzinfo=UTC)
D = Decimal
WAREHOUSES = {
    "NJ1": Warehouse(code="NJ1", sellable=True, second_quality="NJ1-SQ", shopify_location="7001", partner="ATLAS"),
    "TX1": Warehouse(code="TX1", sellable=True, shopify_location="7003", partner="ATLAS"),
    "NJ1-SQ": Warehouse(code="NJ1-SQ", sellable=False),
}


def line(sku: str, quantity: int, subtotal: str, tax: str, restock: str = "RETURN", key: str = "1") -> RefundLine:
    """A refund line of an order line that has the SKU's name."""
    return RefundLine(
        key=key, order_line_id=f"L-{sku}", sku=sku, quantity=quantity, restock_type=restock, location_id="7001", subtotal=D(subtotal), tax=D(tax)
    )


def refund(*lines: RefundLine, cash: str = "", gateway: str = "shopify_payments", adjustment: str = "", shipping: str = "0.00") -> Refund:
    """A refund with its money."""
    return Refund(
        refund_id="61",
        order_id="50",
        order_name="#1",
        currency="USD",
        created_at=AT,
        updated_at=AT,
        lines=lines,
        shipping=D(shipping),
        adjustments=(Adjustment(reason="", amount=D(adjustment)),) if adjustment else (),
        transactions=(Transaction(kind="REFUND", status="SUCCESS", gateway=gateway, amount=D(cash)),) if cash else (),
    )


def around(shipped: dict[str, int], *, received: dict[str, tuple[int, int]] | None = None, warehouse: str = "NJ1", **more: Any) -> Surroundings:
    """What is known: shipped by SKU, received (good, second) by SKU."""
    known: dict[str, Any] = {"shipped": {f"L-{sku}": n for sku, n in shipped.items()}, "credited": {}, "warehouses": WAREHOUSES}
    if received is not None:
        known |= {
            "rma": more.pop("rma", loop()),
            "received": any(sum(n) for n in received.values()),
            "warehouse_of": dict.fromkeys(received, warehouse),
            "received_good": {sku: n[0] for sku, n in received.items()},
            "received_second": {sku: n[1] for sku, n in received.items()},
        }
    return Surroundings(**known | more)


def loop(**money: str) -> Return:
    """A return in Loop with amounts."""
    amounts = {name: D(value) for name, value in money.items()}
    return Return(
        rma="77",
        state="closed",
        outcomes=frozenset(),
        order_id="50",
        order_name="#1",
        currency="USD",
        created_at=AT,
        updated_at=AT,
        **amounts,  # type: ignore[arg-type]
    )


def postings(found: Any) -> list[tuple[str, str, int, str]]:
    """Where units go."""
    return [(p.warehouse, p.sku, p.quantity, p.remark) for p in found.postings]


def settled(found: Any) -> dict[str, Decimal]:
    """How the credit was settled."""
    return {s.kind: s.amount for s in found.credit.settlements}


def test_it_restocks_to_the_ras_warehouse_and_credits_goods_and_tax() -> None:
    found = assess(refund(line("TEE", 2, "60.00", "4.80"), cash="64.80"), around({"TEE": 2}, received={"TEE": (2, 0)}))
    assert postings(found) == [("NJ1", "TEE", 2, "")]
    assert (found.credit.total, settled(found)) == (D("64.80"), {"cash": D("64.80")})


def test_it_puts_no_restock_goods_into_second_quality() -> None:
    found = assess(refund(line("HOOD", 1, "70.00", "5.60", "NO_RESTOCK"), cash="75.60"), around({"HOOD": 1}, received={"HOOD": (0, 1)}))
    assert postings(found) == [("NJ1-SQ", "HOOD", 1, "")]


def test_it_marks_an_override_of_the_condition() -> None:
    found = assess(refund(line("HOOD", 1, "70.00", "5.60"), cash="75.60"), around({"HOOD": 1}, received={"HOOD": (0, 1)}))
    assert postings(found) == [("NJ1", "HOOD", 1, "condition overridden by reviewer")]


def test_it_holds_the_whole_when_no_second_quality_warehouse_is_assigned() -> None:
    lines = (line("HOOD", 1, "70.00", "5.60", "NO_RESTOCK"), line("TEE", 1, "30.00", "2.40", key="2"))
    found = assess(refund(*lines, cash="108.00"), around({"HOOD": 1, "TEE": 1}, received={"HOOD": (0, 1), "TEE": (1, 0)}, warehouse="TX1"))
    assert found.held.startswith("TX1 has no second-quality warehouse")
    assert (found.credit, found.postings) == (None, ())


def test_it_moves_no_stock_for_a_kept_item() -> None:
    found = assess(refund(line("CAP", 1, "25.00", "2.00", "NO_RESTOCK"), cash="27.00"), around({"CAP": 1}))
    assert (postings(found), found.credit.total) == ([], D("27.00"))


def test_it_leaves_out_what_never_shipped_with_its_cash() -> None:
    lines = (line("HOOD", 1, "70.00", "5.60"), line("CAP", 1, "25.00", "2.00", "CANCEL", key="2"))
    found = assess(refund(*lines, cash="102.60"), around({"HOOD": 1}))
    assert (found.credit.total, settled(found)) == (D("75.60"), {"cash": D("75.60")})
    assert [row.reason for row in found.lines if row.reason] == ["CAP never shipped, 27.00 not imported"]
    assert postings(found) == [("NJ1", "HOOD", 1, "restocked without receipt")]


def test_it_splits_a_line_that_shipped_in_part_to_the_cent() -> None:
    found = assess(refund(line("TEE", 3, "90.00", "7.20"), cash="97.20"), around({"TEE": 2}))
    assert [(row.imported, row.skipped, row.merchandise, row.tax, row.skipped_value) for row in found.lines] == [
        (2, 1, D("60.00"), D("4.80"), D("32.40"))
    ]


def test_it_posts_no_more_than_was_received() -> None:
    found = assess(refund(line("TEE", 2, "60.00", "4.80"), cash="64.80"), around({"TEE": 2}, received={"TEE": (1, 0)}))
    assert (postings(found), found.credit.total) == ([("NJ1", "TEE", 1, "")], D("64.80"))
    assert "1 not put in stock" in found.tasks[0]


@pytest.mark.parametrize(
    ("money", "cash", "expected"),
    [
        ({"exchange_total": "129.60"}, "", {"exchange credit": "129.60"}),
        ({"gift_card": "129.60"}, "", {"store credit": "129.60"}),
        ({"handling_fee": "7.95"}, "121.65", {"cash": "121.65", "fee kept": "7.95"}),
        ({"exchange_total": "27.00"}, "102.60", {"cash": "102.60", "exchange credit": "27.00"}),
        ({"exchange_total": "151.20", "upsell": "21.60"}, "", {"exchange credit": "129.60"}),
        ({}, "100.00", {"cash": "100.00", "unexplained": "29.60"}),
    ],
)
def test_it_settles_a_credit_to_the_cent(money: dict[str, str], cash: str, expected: dict[str, str]) -> None:
    found = assess(refund(line("DRS", 1, "120.00", "9.60"), cash=cash), around({"DRS": 1}, received={"DRS": (1, 0)}, rma=loop(**money)))
    assert settled(found) == {kind: D(amount) for kind, amount in expected.items()}
    assert ("is not explained" in " ".join(found.tasks)) == ("unexplained" in expected)


def test_it_credits_shipping_and_goodwill_without_stock() -> None:
    assert assess(refund(cash="8.00", shipping="8.00"), around({})).credit.shipping == D("8.00")
    assert assess(refund(cash="5.00"), around({})).credit.total == D("5.00")


def test_it_lets_later_money_settle_the_earlier_credit() -> None:
    found = assess(refund(cash="129.60", adjustment="-129.60"), around({}, open_exchange_credit=D("129.60")))
    assert found.credit is None
    assert "settles the credit made earlier" in found.remarks[0]


restocks = st.sampled_from(["RETURN", "NO_RESTOCK", "CANCEL", "LEGACY_RESTOCK"])
cents = st.integers(0, 20000).map(lambda n: D(n) / 100)


@given(
    lines=st.lists(st.tuples(st.sampled_from(["TEE", "HOOD"]), st.integers(1, 4), cents, cents, restocks), min_size=1, max_size=4),
    shipped=st.integers(0, 5),
    good=st.integers(0, 4),
    second=st.integers(0, 4),
    cash=cents,
    fee=cents,
)
def test_it_neither_makes_nor_loses_units_or_money(
    lines: list[tuple[str, int, Decimal, Decimal, str]], shipped: int, good: int, second: int, cash: Decimal, fee: Decimal
) -> None:
    rows = tuple(line(sku, q, str(s), str(t), r, key=str(n)) for n, (sku, q, s, t, r) in enumerate(lines))
    known = around({"TEE": shipped, "HOOD": shipped}, received={"TEE": (good, second), "HOOD": (good, second)}, rma=loop(handling_fee=str(fee)))
    found = assess(refund(*rows, cash=str(cash)), known)
    for row, source in zip(found.lines, rows, strict=True):
        assert row.imported + row.skipped == source.quantity
        assert row.merchandise + row.tax + row.skipped_value == source.subtotal + source.tax
    for sku in ("TEE", "HOOD"):
        posted = sum(p.quantity for p in found.postings if p.sku == sku)
        assert posted <= min(good + second, sum(row.imported for row in found.lines if row.sku == sku))
        assert sum(row.imported for row in found.lines if row.sku == sku) <= shipped
    if found.credit:
        assert sum(s.amount for s in found.credit.settlements) == found.credit.total
        assert found.credit.total == sum(row.merchandise + row.tax for row in found.lines)
