"""What came against what was authorized, and the decision."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.documents import Authorization, AuthorizationLine, Exchange, Policy, Receipt, ReceiptLine, Return, ReturnUnit
from gateway.domain.policies import Action, Rule, Rules, Trouble
from gateway.domain.receiving import Reason, Verdict, accumulate, decide

REMOVE = Rules(merchant={Trouble.SHORT: Rule(action=Action.REMOVE)})
AT = datetime(2026, 11, 24, tzinfo=UTC)


def unit(number: int, sku: str, value: str = "32.40") -> ReturnUnit:
    """A unit worth something."""
    return ReturnUnit(line_item_id=str(number), order_line_id=f"L{sku}", sku=sku, value=Decimal(value))


def rma(*units: ReturnUnit, exchange: bool = False) -> Return:
    """A return of units."""
    exchanges = (Exchange(exchange_id="1", order_id=None, order_name=None, sku="X", total=Decimal("10.00")),) if exchange else ()
    return Return(
        rma="77",
        state="open",
        outcomes=frozenset(),
        order_id="1",
        order_name="#1",
        currency="USD",
        created_at=AT,
        updated_at=AT,
        units=units,
        exchanges=exchanges,
    )


def ra(*units: ReturnUnit, number: str = "RA77", warehouse: str = "NJ1") -> Authorization:
    """The RA for units."""
    skus = dict.fromkeys(u.sku for u in units)
    lines = tuple(
        AuthorizationLine(
            line_no=n,
            sku=sku,
            upc="",
            title="",
            quantity=len(same),
            unit_ids=tuple(u.line_item_id for u in same),
            value=sum((u.value for u in same), Decimal(0)),
            tax=Decimal(0),
        )
        for n, sku in enumerate(skus, 1)
        if (same := [u for u in units if u.sku == sku])
    )
    return Authorization(
        ra=number,
        rma="77",
        version=1,
        partner="ATLAS",
        warehouse=warehouse,
        order_id="1",
        order_name="#1",
        currency="USD",
        created_at=AT,
        lines=lines,
    )


def receipt(*lines: tuple[str, int, int] | tuple[str, int, int, int], final: bool = False, number: str = "WR1", warehouse: str = "") -> Receipt:
    """A receipt of (sku, good, second, declared missing)."""
    made = tuple(
        ReceiptLine(stated=row[0], sku=row[0].lstrip("?") if not row[0].startswith("?") else "", good=row[1], second=row[2], missing=(*row, 0)[3])
        for row in lines
    )
    return Receipt(
        partner="ATLAS", receipt_no=number, ra_reference="RA77", received_on=date(2026, 11, 24), lines=made, final=final, warehouse=warehouse
    )


TEE2_HOOD = (unit(1, "TEE"), unit(2, "TEE"), unit(3, "HOOD", "75.60"))


def decided(
    *receipts: Receipt, units: tuple[ReturnUnit, ...] = TEE2_HOOD, policy: Policy | None = None, waited: bool = False, exchange: bool = False
):
    """The decision on receipts for one RA."""
    authorization = ra(*units)
    standing = accumulate(authorization, receipts)
    return decide(rma(*units, exchange=exchange), [standing], authorizations=[authorization], policy=policy or Policy(), waited_out=waited)


@pytest.mark.parametrize(
    ("receipts", "waited", "verdict", "reasons"),
    [
        ([receipt(("TEE", 2, 0), ("HOOD", 1, 0))], False, Verdict.PROCESS, ()),
        ([receipt(("TEE", 1, 0))], False, Verdict.WAIT, ()),
        ([receipt(("TEE", 1, 0)), receipt(("TEE", 1, 0), ("HOOD", 1, 0), number="WR2")], False, Verdict.PROCESS, ()),
        ([receipt(("TEE", 2, 0))], True, Verdict.FLAG, (Reason.SHORT,)),
        ([receipt(("TEE", 2, 0), final=True)], False, Verdict.FLAG, (Reason.SHORT,)),
        ([receipt(("TEE", 2, 0), ("HOOD", 0, 0, 1))], False, Verdict.FLAG, (Reason.SHORT,)),
        ([receipt(("TEE", 1, 0), ("HOOD", 0, 0, 1))], False, Verdict.WAIT, ()),
        ([receipt(("TEE", 0, 0), ("HOOD", 0, 0), final=True)], False, Verdict.FLAG, (Reason.EMPTY_PARCEL, Reason.SHORT)),
        ([receipt(("TEE", 1, 1), ("HOOD", 1, 0))], False, Verdict.FLAG, (Reason.DAMAGED,)),
        ([receipt(("TEE", 3, 0), ("HOOD", 1, 0))], False, Verdict.FLAG, (Reason.OVER,)),
        ([receipt(("TEE", 2, 0), ("CAP", 1, 0))], False, Verdict.FLAG, (Reason.WRONG_ITEM, Reason.SHORT, Reason.UNEXPECTED_ITEM)),
        ([receipt(("TEE", 2, 0), ("HOOD", 1, 0), ("?X9", 1, 0))], False, Verdict.FLAG, (Reason.UNMAPPED_ITEM,)),
        ([receipt(("TEE", 2, 0), ("HOOD", 1, 0), warehouse="LA1")], False, Verdict.FLAG, (Reason.WAREHOUSE_MISMATCH,)),
        ([], True, Verdict.WAIT, ()),
    ],
)
def test_it_waits_processes_or_flags_with_every_reason(receipts: list[Receipt], waited: bool, verdict: Verdict, reasons: tuple[Reason, ...]) -> None:
    found = decided(*receipts, waited=waited)
    assert (found.verdict, found.reasons) == (verdict, reasons)


def test_it_removes_missing_refund_units_when_the_policy_says_so() -> None:
    found = decided(receipt(("TEE", 2, 0), final=True), policy=Policy(rules=REMOVE))
    assert (found.verdict, found.remove_units) == (Verdict.REMOVE, ("3",))


def test_it_never_removes_from_an_exchange_or_everything() -> None:
    policy = Policy(rules=REMOVE)
    assert decided(receipt(("TEE", 2, 0), final=True), policy=policy, exchange=True).verdict == Verdict.FLAG
    assert decided(receipt(("TEE", 0, 0), final=True), policy=policy).verdict == Verdict.FLAG


def test_it_does_not_guess_which_of_two_prices_is_missing() -> None:
    units = (unit(1, "TEE", "32.40"), unit(2, "TEE", "25.92"))
    found = decided(receipt(("TEE", 1, 0), final=True), units=units, policy=Policy(rules=REMOVE))
    assert found.verdict == Verdict.FLAG
    assert found.candidates == ("TEE unit 1: 32.40", "TEE unit 2: 25.92")


def test_it_decides_an_rma_once_for_all_its_ras() -> None:
    one, two = ra(unit(1, "TEE"), number="RA77-1"), ra(unit(2, "DRS"), number="RA77-2", warehouse="LA1")
    whole = rma(unit(1, "TEE"), unit(2, "DRS"))
    came, open_ = accumulate(one, [receipt(("TEE", 1, 0))]), accumulate(two, [])
    assert decide(whole, [came, open_], authorizations=[one, two], policy=Policy(), waited_out=False).verdict == Verdict.WAIT
    both = accumulate(two, [receipt(("DRS", 1, 0))])
    assert decide(whole, [came, both], authorizations=[one, two], policy=Policy(), waited_out=False).verdict == Verdict.PROCESS


counts = st.integers(0, 4)


@given(
    expected=st.dictionaries(st.sampled_from(["TEE", "HOOD", "CAP"]), st.integers(1, 4), min_size=1),
    came=st.lists(st.lists(st.tuples(st.sampled_from(["TEE", "HOOD", "CAP", "DRS", "?X"]), counts, counts), max_size=4), max_size=4),
    final=st.booleans(),
    waited=st.booleans(),
)
def test_it_conserves_units_whatever_comes(expected: dict[str, int], came: list[list[tuple[str, int, int]]], final: bool, waited: bool) -> None:
    units = tuple(unit(n, sku) for n, sku in enumerate((s for s, q in expected.items() for _ in range(q)), 1))
    authorization = ra(*units)
    receipts = [receipt(*lines, final=final, number=f"WR{n}") for n, lines in enumerate(came)]
    standing = accumulate(authorization, receipts)
    for line in standing.lines:
        assert line.expected == line.good + line.second + line.missing
        assert min(line.good, line.second, line.missing, line.over) >= 0
    reported = sum(good + second for lines in came for _, good, second in lines)
    assert reported == standing.received + sum(line.over for line in standing.lines) + sum(extra.quantity for extra in standing.extras)
    found = decide(rma(*units), [standing], authorizations=[authorization], policy=Policy(), waited_out=waited)
    perfect = standing.missing == 0 and reported == len(units) and not any(line.second for line in standing.lines)
    assert (found.verdict == Verdict.PROCESS) == (perfect and bool(receipts))
