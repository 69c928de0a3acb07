"""What a refund means for stock and money."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import money
from gateway.domain.crediting import OpenCredit
from gateway.domain.documents import Adjustment, Disposition, Refund, RefundLine, Return, Transaction, Warehouse
from gateway.domain.refunding import ReceivedAt, Surroundings, assess

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
            "has_received": any(sum(n) for n in received.values()),
            "received": {sku: (ReceivedAt(warehouse=warehouse, good=n[0], second=n[1]),) for sku, n in received.items()},
        }
    return Surroundings(**known | more)


def loop(**money_: str) -> Return:
    """A return in Loop with amounts."""
    amounts = {name: D(value) for name, value in money_.items()}
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
    ("amounts", "cash", "expected"),
    [
        ({"exchange_total": "129.60"}, "", {"exchange credit": "129.60"}),
        ({"gift_card": "129.60"}, "", {"store credit": "129.60"}),
        ({"handling_fee": "7.95"}, "121.65", {"cash": "121.65", "fee kept": "7.95"}),
        ({"exchange_total": "27.00"}, "102.60", {"cash": "102.60", "exchange credit": "27.00"}),
        ({"exchange_total": "151.20", "upsell": "21.60"}, "", {"exchange credit": "129.60"}),
        ({}, "100.00", {"cash": "100.00", "unexplained": "29.60"}),
    ],
)
def test_it_settles_a_credit_to_the_cent(amounts: dict[str, str], cash: str, expected: dict[str, str]) -> None:
    found = assess(refund(line("DRS", 1, "120.00", "9.60"), cash=cash), around({"DRS": 1}, received={"DRS": (1, 0)}, rma=loop(**amounts)))
    assert settled(found) == {kind: D(amount) for kind, amount in expected.items()}
    assert ("is not explained" in " ".join(found.tasks)) == ("unexplained" in expected)


def test_it_credits_shipping_and_goodwill_without_stock() -> None:
    assert assess(refund(cash="8.00", shipping="8.00"), around({})).credit.shipping == D("8.00")
    goodwill = assess(refund(cash="5.00", adjustment="-5.00"), around({})).credit
    assert (goodwill.total, goodwill.adjustment, goodwill.merchandise) == (D("5.00"), D("5.00"), D(0))


def test_it_credits_money_paid_beyond_the_goods_as_an_adjustment() -> None:
    found = assess(refund(line("TEE", 1, "30.00", "2.40"), cash="37.40", adjustment="-5.00"), around({"TEE": 1}, received={"TEE": (1, 0)}))
    assert (found.credit.total, found.credit.adjustment, settled(found)) == (D("37.40"), D("5.00"), {"cash": D("37.40")})
    assert [(a.reason, a.amount) for a in found.credit.adjustments] == [("", D("-5.00"))]


EXCHANGED = OpenCredit(invoice="CI-60", kind="exchange credit", amount=D("129.60"))


@pytest.mark.parametrize(
    ("more", "moved"),
    [
        ({}, True),  # exactly what is open
        ({"named": True, "rma": loop()}, True),
        ({"is_exchange_order": True}, True),
        ({"open_credits": (OpenCredit(invoice="CI-60", kind="exchange credit", amount=D("200.00")),)}, False),
        ({"open_credits": (OpenCredit(invoice="CI-60", kind="exchange credit", amount=D("200.00")),), "named": True, "rma": loop()}, True),
    ],
)
def test_it_lets_later_money_settle_the_earlier_credit_once(more: dict[str, Any], moved: bool) -> None:
    found = assess(refund(cash="129.60", adjustment="-129.60"), around({}, **{"open_credits": (EXCHANGED,)} | more))
    assert [(m.invoice, m.from_kind, m.to_kind, m.amount) for m in found.moves] == (
        [("CI-60", "exchange credit", "cash", D("129.60"))] if moved else []
    )
    assert (found.credit is None) == moved
    assert ("if it was a payment of that, correct it" in " ".join(found.tasks)) != moved


def test_it_settles_by_the_refund_of_an_exchange_order_that_never_shipped() -> None:
    cancelled = refund(line("DRS", 1, "120.00", "9.60", "CANCEL"), cash="129.60")
    found = assess(cancelled, around({}, open_credits=(EXCHANGED,), is_exchange_order=True))
    assert [m.amount for m in found.moves] == [D("129.60")]
    assert (found.credit, found.postings, found.skipped) == (None, (), "")


def test_it_expects_the_money_of_goods_marked_returned_first() -> None:
    rma = loop(refund="129.60")
    goods = assess(refund(line("DRS", 1, "120.00", "9.60"), adjustment="129.60"), around({"DRS": 1}, received={"DRS": (1, 0)}, rma=rma))
    assert (settled(goods), goods.tasks) == ({"to be paid": D("129.60")}, ())


def test_it_uses_a_fee_once_for_several_refunds_of_a_return() -> None:
    rma = loop(handling_fee="7.95", refund="56.85")
    known = around({"TEE": 2}, received={"TEE": (2, 0)}, rma=rma, settled={"fee kept": D("7.95"), "cash": D("24.45")}, credited={"L-TEE": 1})
    found = assess(refund(line("TEE", 1, "30.00", "2.40"), cash="32.40"), known)
    assert settled(found) == {"cash": D("32.40")}


@pytest.mark.parametrize(("restocked", "expected"), [(True, "NJ1"), (False, "NJ1-SQ")])
def test_it_reads_legacy_restock_by_what_shopify_did(restocked: bool, expected: str) -> None:
    one = replace(line("TEE", 1, "30.00", "2.40", "LEGACY_RESTOCK"), restocked=restocked)
    found = assess(refund(one, cash="32.40"), around({"TEE": 1}, received={"TEE": (1 if restocked else 0, 0 if restocked else 1)}))
    assert [p.warehouse for p in found.postings] == [expected]
    assert any("LEGACY_RESTOCK" in remark for remark in found.remarks)


def test_it_lets_dispositions_decide_where_a_line_says_no_restock() -> None:
    goods = (Disposition(kind="RESTOCKED", quantity=1, location_id="7001"), Disposition(kind="MISSING", quantity=1))
    one = replace(line("TEE", 3, "90.00", "7.20", "NO_RESTOCK"), dispositions=(*goods, Disposition(kind="NOT_RESTOCKED", quantity=1)))
    found = assess(refund(one, cash="97.20"), around({"TEE": 3}, received={"TEE": (1, 1)}))
    assert [(p.warehouse, p.quantity) for p in found.postings] == [("NJ1", 1), ("NJ1-SQ", 1)]
    assert "TEE: 1 missing by Shopify's return, not put in stock" in found.remarks
    later = assess(refund(one, cash="97.20"), around({"TEE": 6}, received={"TEE": (0, 1)}, disposed={"L-TEE": 2}))
    assert next((p.warehouse, p.quantity) for p in later.postings) == ("NJ1-SQ", 1)


def test_it_holds_a_restock_type_that_nobody_knows() -> None:
    assert "TELEPORT is not known" in assess(refund(line("TEE", 1, "30.00", "2.40", "TELEPORT"), cash="32.40"), around({"TEE": 1})).held


def test_it_credits_what_needs_no_shipping_without_stock() -> None:
    card = replace(line("CARD", 1, "50.00", "0.00"), requires_shipping=False, gift_card=True)
    found = assess(refund(card, cash="50.00"), around({}))
    assert (found.postings, found.lines[0].result.value, found.lines[0].goods) == ((), "imported without stock", "gift card")
    assert found.credit.total == D("50.00")


def test_it_takes_each_ras_goods_from_its_own_warehouse() -> None:
    both = {"TEE": (ReceivedAt(warehouse="TX1", good=1, second=0), ReceivedAt(warehouse="NJ1", good=1, second=0))}
    found = assess(refund(line("TEE", 2, "60.00", "4.80"), cash="64.80"), replace(around({"TEE": 2}), rma=loop(), has_received=True, received=both))
    assert [(p.warehouse, p.quantity) for p in found.postings] == [("NJ1", 1), ("TX1", 1)]


@pytest.mark.parametrize(
    ("currency", "subtotal", "tax", "expected"),
    [
        ("JPY", "1000", "80", ("333", "27", "720")),
        ("KWD", "10.000", "0.500", ("3.333", "0.167", "7.000")),
        ("USD", "10.00", "0.50", ("3.33", "0.17", "7.00")),
    ],
)
def test_it_rounds_a_part_to_the_currencys_own_minor_unit(currency: str, subtotal: str, tax: str, expected: tuple[str, str, str]) -> None:
    one = replace(refund(line("TEE", 3, subtotal, tax), cash="1"), currency=currency)
    (row,) = assess(one, around({"TEE": 1})).lines
    assert tuple(money.text(amount, currency) for amount in (row.merchandise, row.tax, row.skipped_value)) == expected


def test_it_shows_cash_rounding_beside_the_cash_that_was_handed_out() -> None:
    paid = Transaction(kind="REFUND", status="SUCCESS", gateway="cash", amount=D("12.97"), rounding=D("-0.02"))
    francs = replace(refund(line("TEE", 1, "12.04", "0.93")), currency="CHF", transactions=(paid,))
    found = assess(francs, around({"TEE": 1}))
    assert settled(found) == {"cash": D("12.95"), "cash rounding": D("0.02")}
    assert found.credit.total == D("12.97")


def test_it_keeps_the_shoppers_amounts_beside_the_shops() -> None:
    theirs = replace(refund(line("TEE", 2, "54.00", "4.32"), cash="29.16"), currency="EUR")
    found = assess(replace(refund(line("TEE", 2, "60.00", "4.80"), cash="32.40"), shopper=theirs), around({"TEE": 1}))
    assert (found.credit.total, found.credit.shopper_currency) == (D("32.40"), "EUR")
    assert dict(found.credit.shopper) == {"merchandise": D("27.00"), "tax": D("2.16"), "shipping": D(0), "duties": D(0), "cash": D("29.16")}


def test_it_never_sets_amounts_of_two_currencies_against_each_other() -> None:
    rma = replace(loop(exchange_total="129.60"), currency="EUR")
    found = assess(refund(line("DRS", 1, "120.00", "9.60")), around({"DRS": 1}, received={"DRS": (1, 0)}, rma=rma))
    assert (settled(found), "Loop's amounts are in EUR" in found.tasks[0]) == ({"unexplained": D("129.60")}, True)


@pytest.mark.parametrize(
    ("status", "kind", "says"), [("PENDING", "pending", ""), ("FAILURE", "unexplained", "the payment through shopify_payments failed")]
)
def test_it_tells_pending_money_from_failed_money(status: str, kind: str, says: str) -> None:
    one = Transaction(kind="REFUND", status=status, gateway="shopify_payments", amount=D("32.40"))
    found = assess(
        replace(refund(line("TEE", 1, "30.00", "2.40")), transactions=(one,)), around({"TEE": 1}, received={"TEE": (1, 0)}, rma=loop(refund="32.40"))
    )
    assert (settled(found), says in " ".join(found.tasks)) == ({kind: D("32.40")}, True)


def test_it_counts_shipping_once() -> None:
    known = around({}, shipping_paid=D("8.00"), shipping_credited=D("8.00"))
    assert "16.00 USD of shipping is refunded on order #1, which paid 8.00" in assess(refund(cash="8.00", shipping="8.00"), known).tasks[0]


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
        assert found.credit.total - found.credit.adjustment == sum(row.merchandise + row.tax for row in found.lines)
        left_out = sum(row.skipped_value for row in found.lines)
        assert found.credit.cash == max(cash - left_out, D(0))
