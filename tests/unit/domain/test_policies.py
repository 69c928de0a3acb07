"""The merchant's rules: which irregularity is flagged, processed up to a value, removed or waited for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.domain.documents import Policy, Receipt
from gateway.domain.policies import Action, Rule, Rules, Trouble
from gateway.domain.receiving import Decision, Reason, Verdict, accumulate, decide
from tests.unit.domain.test_receiving import ra, receipt, rma, unit

TWO_TEES = (unit(1, "TEE"), unit(2, "TEE"))
CHEAP = (unit(1, "TEE"), unit(2, "SOCK", "12.96"))


def judged(*receipts: Receipt, units: tuple = CHEAP, waited_out: bool = False, **rules: Rule) -> Decision:
    """The decision on units under rules by their trouble's name."""
    authorization = ra(*units)
    policy = Policy(rules=Rules(merchant={Trouble(name): rule for name, rule in rules.items()}))
    return decide(rma(*units), [accumulate(authorization, receipts)], authorizations=[authorization], policy=policy, waited_out=waited_out)


def up_to(amount: str, currency: str = "USD") -> Rule:
    """Process what is worth no more."""
    return Rule(action=Action.PROCESS, up_to=Decimal(amount), currency=currency)


@pytest.mark.parametrize(("limit", "verdict"), [("12.95", Verdict.FLAG), ("12.96", Verdict.PROCESS)])
def test_a_short_receipt_is_processed_up_to_the_value_of_what_is_missing(limit: str, verdict: Verdict) -> None:
    found = judged(receipt(("TEE", 1, 0), final=True), short=up_to(limit))
    assert (found.verdict, found.reasons) == (verdict, (Reason.SHORT,))
    assert "12.96 USD" in found.rule


def test_a_limit_in_another_currency_reaches_nothing() -> None:
    found = judged(receipt(("TEE", 1, 0), final=True), short=up_to("100.00", "EUR"))
    assert (found.verdict, found.rule) == (Verdict.FLAG, "short → flag (short worth 12.96 USD is beyond 100.00 EUR)")


def test_the_dearest_missing_unit_counts_where_their_prices_differ() -> None:
    units = (unit(1, "TEE", "32.40"), unit(2, "TEE", "25.92"))
    assert judged(receipt(("TEE", 1, 0), final=True), units=units, short=up_to("30.00")).verdict == Verdict.FLAG


def test_one_trouble_without_a_rule_flags_the_whole_return() -> None:
    found = judged(receipt(("TEE", 0, 1), final=True), short=up_to("50.00"))
    assert (found.verdict, found.reasons) == (Verdict.FLAG, (Reason.DAMAGED, Reason.SHORT))


def test_small_damages_are_processed_where_the_merchant_says_so() -> None:
    found = judged(receipt(("TEE", 1, 0), ("SOCK", 0, 1)), damaged=up_to("20.00"))
    assert (found.verdict, found.rule) == (Verdict.PROCESS, "damaged → process (damaged worth 12.96 USD, up to 20.00 USD)")


def test_what_more_came_never_stops_a_return_where_it_may_pass() -> None:
    assert judged(receipt(("TEE", 2, 0), ("SOCK", 1, 0)), over=up_to("32.40")).verdict == Verdict.PROCESS


def test_an_unexpected_item_has_no_value_that_a_limit_could_reach() -> None:
    lines = (("TEE", 1, 0), ("SOCK", 1, 0), ("HAT", 1, 0))
    assert judged(receipt(*lines), unexpected=up_to("999.00")).verdict == Verdict.FLAG
    assert judged(receipt(*lines), unexpected=Rule(action=Action.PROCESS)).verdict == Verdict.PROCESS


@pytest.mark.parametrize("lines", [(("?HAT", 1, 0), ("TEE", 1, 0), ("SOCK", 1, 0)), (("TEE", 0, 0), ("SOCK", 0, 0))])
def test_an_unknown_item_and_an_empty_parcel_are_always_for_a_person(lines: tuple) -> None:
    everything = {trouble.value: Rule(action=Action.PROCESS) for trouble in Trouble}
    assert judged(receipt(*lines, final=True), **everything).verdict == Verdict.FLAG


def test_a_final_mark_does_not_end_the_wait_where_the_merchant_waits_for_the_rest() -> None:
    rule = Rule(action=Action.WAIT)
    came = receipt(("TEE", 1, 0), final=True)
    assert judged(came, short=rule).verdict == Verdict.WAIT
    assert judged(came, short=rule, waited_out=True).verdict == Verdict.FLAG


def test_missing_units_are_removed_beside_damages_that_may_pass() -> None:
    found = judged(receipt(("TEE", 0, 1), final=True), short=Rule(action=Action.REMOVE), damaged=Rule(action=Action.PROCESS))
    assert (found.verdict, found.remove_units) == (Verdict.REMOVE, ("2",))


def test_a_partner_s_own_rule_stands_over_the_merchant_s() -> None:
    rules = Rules(merchant={Trouble.SHORT: Rule(action=Action.PROCESS)}, partners={"ATLAS": {Trouble.SHORT: Rule()}})
    authorization = ra(*CHEAP)
    standing = accumulate(authorization, [receipt(("TEE", 1, 0), final=True)])
    found = decide(rma(*CHEAP), [standing], authorizations=[authorization], policy=Policy(rules=rules), waited_out=False)
    assert found.verdict == Verdict.FLAG


@pytest.mark.parametrize(("days", "verdict"), [(0, Verdict.PROCESS), (1, Verdict.PROCESS)])
def test_goods_in_time_are_not_late(days: int, verdict: Verdict) -> None:
    authorization = ra(*TWO_TEES)
    standing = accumulate(authorization, [receipt(("TEE", 2, 0))])
    policy = Policy(rules=Rules(late_days=days))
    assert decide(rma(*TWO_TEES), [standing], authorizations=[authorization], policy=policy, waited_out=False).verdict == verdict
