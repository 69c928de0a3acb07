"""What came back against what was authorized, and what is decided about it (requirements R-026, R-090 to R-100).

Two pure steps. `accumulate` adds up every receipt of an RA: per line good + second + missing = expected, always; what came beyond the line or beside
the RA is an *extra* whose owner is unknown. `decide` looks at all RAs of an RMA together: wait, process, flag with every reason that applies, or remove
the missing units and process the rest. A decision carries the rule that made it, so that it can be explained later from itself alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from gateway.domain import money
from gateway.domain.documents import ZERO, Authorization, AuthorizationLine, Policy, Return
from gateway.domain.policies import Action, Trouble
from gateway.domain.standings import Extra, LineStanding, Standing, accumulate

__all__ = ["Decision", "Extra", "LineStanding", "Reason", "Standing", "Verdict", "accumulate", "decide"]


class Reason(StrEnum):
    """Why a return is flagged."""

    DAMAGED = "DAMAGED"
    SHORT = "SHORT"
    OVER = "OVER"
    UNEXPECTED_ITEM = "UNEXPECTED_ITEM"
    WRONG_ITEM = "WRONG_ITEM"
    WAREHOUSE_MISMATCH = "WAREHOUSE_MISMATCH"
    UNMAPPED_ITEM = "UNMAPPED_ITEM"
    EMPTY_PARCEL = "EMPTY_PARCEL"
    LATE = "LATE"


ALWAYS_FLAGGED = frozenset({Reason.UNMAPPED_ITEM, Reason.WAREHOUSE_MISMATCH, Reason.EMPTY_PARCEL})


class Verdict(StrEnum):
    """What is decided."""

    WAIT = "wait"
    PROCESS = "process"
    FLAG = "flag"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to happen with an RMA, and why."""

    verdict: Verdict
    rule: str
    reasons: tuple[Reason, ...] = ()
    sentences: tuple[str, ...] = ()
    remove_units: tuple[str, ...] = ()
    candidates: tuple[str, ...] = field(default=())


def decide(rma: Return, standings: Sequence[Standing], *, authorizations: Sequence[Authorization], policy: Policy, waited_out: bool) -> Decision:
    """Decide one RMA from the standing of all its RAs (R-095: one decision)."""
    partners = {a.ra: a.partner for a in authorizations}
    unsettled = [s for s in standings if not _settled(s, partners.get(s.ra, ""), policy)]
    if unsettled and not (waited_out and any(s.receipt_nos for s in standings)):
        names = ", ".join(f"{s.ra} ({s.received} of {s.expected} units)" for s in unsettled)
        return Decision(verdict=Verdict.WAIT, rule="wait for the rest", sentences=(f"Waiting for {names}.",))
    late = tuple(s for s in standings if is_late(s, authorizations, policy))
    reasons = (*find_reasons(standings), *((Reason.LATE,) if late else ()))
    if not reasons:
        sentence = " ".join(f"{s.ra} came in full and good at {s.warehouse} ({s.received} of {s.expected} units)." for s in standings)
        return Decision(verdict=Verdict.PROCESS, rule="in full and good → process", sentences=(sentence,))
    sentences = (*describe(standings), *open_bundles(standings, authorizations), *(f"{s.ra} came late, on {s.received_on}" for s in late))
    candidates = price_candidates(rma, standings, authorizations)
    verdict, rule, removed = _judge(rma, standings, reasons, authorizations=authorizations, policy=policy)
    return Decision(verdict=verdict, rule=rule, reasons=reasons, sentences=sentences, remove_units=removed, candidates=candidates)


def _settled(s: Standing, partner: str, policy: Policy) -> bool:
    """Whether nothing more is waited for: everything came, or the partner says that nothing more will and the merchant does not want to wait all the same."""
    waits = policy.rules.of(Trouble.SHORT, partner=partner).action == Action.WAIT
    return s.full or (s.final and not waits)


def is_late(s: Standing, authorizations: Sequence[Authorization], policy: Policy) -> bool:
    """Whether an RA came later than the merchant wants to take as a matter of course."""
    made = next((a.created_at.date() for a in authorizations if a.ra == s.ra), None)
    if not policy.rules.late_days or made is None or s.received_on is None:
        return False
    return (s.received_on - made).days > policy.rules.late_days


def _judge(
    rma: Return, standings: Sequence[Standing], reasons: Sequence[Reason], *, authorizations: Sequence[Authorization], policy: Policy
) -> tuple[Verdict, str, tuple[str, ...]]:
    """Apply the merchant's rules to what is wrong: the verdict, the rule in words, the units to remove."""
    plain = " + ".join(word_of(reason) for reason in reasons)
    if any(reason in ALWAYS_FLAGGED for reason in reasons):
        return Verdict.FLAG, f"{plain} → flag", ()
    judged = list(_apply_rules(rma, standings, authorizations, policy))
    if any(action in (Action.FLAG, Action.WAIT) for action, _ in judged):
        beyond = "; ".join(words for action, words in judged if action == Action.FLAG and words)
        return Verdict.FLAG, f"{plain} → flag" + (f" ({beyond})" if beyond else ""), ()
    if any(action == Action.REMOVE for action, _ in judged):
        removable = () if price_candidates(rma, standings, authorizations) else missing_units(rma, standings, authorizations)
        if removable:
            return Verdict.REMOVE, f"{plain} → remove missing and process", removable
        unknown = removable is not None
        return Verdict.FLAG, f"{plain} → flag" if unknown else f"{plain} with an exchange line → flag", ()
    return Verdict.PROCESS, f"{plain} → process ({'; '.join(words for _, words in judged)})", ()


def _apply_rules(rma: Return, standings: Sequence[Standing], authorizations: Sequence[Authorization], policy: Policy) -> Iterable[tuple[Action, str]]:
    """For each kind of trouble at each partner: what its rule asks for, and why, in words."""
    by_ra = {a.ra: a for a in authorizations}
    partners = dict.fromkeys(by_ra[s.ra].partner if s.ra in by_ra else "" for s in standings)
    for partner in partners:
        theirs = [s for s in standings if (by_ra[s.ra].partner if s.ra in by_ra else "") == partner]
        for trouble, value in _troubles(rma, theirs, authorizations, policy):
            rule = policy.rules.of(trouble, partner=partner)
            worth = "of unknown value" if value is None else f"worth {value:.2f} {rma.currency}"
            limit = "" if rule.up_to is None else f", up to {rule.up_to:.2f} {rule.currency}"
            if rule.covers(value, rma.currency):
                yield rule.action, "" if rule.action == Action.FLAG else f"{trouble} {worth}{limit}"
            else:
                yield Action.FLAG, f"{trouble} {worth} is beyond {rule.up_to:.2f} {rule.currency}"


def _troubles(
    rma: Return, standings: Sequence[Standing], authorizations: Sequence[Authorization], policy: Policy
) -> Iterable[tuple[Trouble, Decimal | None]]:
    """The kinds of trouble in some RAs, each with the value of the goods it is about; None when goods without a known value are among them."""
    lines = [(line, _dearest(rma, authorizations, s.ra, line.sku)) for s in standings for line in s.lines]
    sums = {
        Trouble.DAMAGED: [(line.second, worth) for line, worth in lines if line.second],
        Trouble.SHORT: [(line.missing, worth) for line, worth in lines if line.missing],
        Trouble.OVER: [(line.over, worth) for line, worth in lines if line.over],
        Trouble.LATE: [(line.good + line.second, worth) for s in standings if is_late(s, authorizations, policy) for line, worth in lines],
    }
    yield from ((trouble, sum((units * worth for units, worth in found), ZERO)) for trouble, found in sums.items() if found)
    if any(extra.sku for s in standings for extra in s.extras):
        yield Trouble.UNEXPECTED, None


def _dearest(rma: Return, authorizations: Sequence[Authorization], ra: str, sku: str) -> Decimal:
    """What one unit of an RA line is worth, the dearest where they differ: a tolerance is never stretched by a guess (R-027)."""
    line = line_of(authorizations, ra, sku)
    if line is None:
        return ZERO
    if line.bundle_parts:
        return money.rounded((line.value + line.tax) / line.quantity, rma.currency)
    values = {unit.line_item_id: unit.value for unit in rma.units}
    return max((values.get(number, ZERO) for number in line.unit_ids), default=ZERO)


def word_of(reason: Reason) -> str:
    """A reason in words."""
    return reason.value.replace("_", " ").lower()


def find_reasons(standings: Sequence[Standing]) -> tuple[Reason, ...]:
    """Every flag reason that applies, the most telling first."""
    missing = any(s.missing for s in standings)
    unexpected = any(extra.sku for s in standings for extra in s.extras)
    applies = {
        Reason.EMPTY_PARCEL: came_empty(standings),
        Reason.DAMAGED: any(line.second for s in standings for line in s.lines),
        Reason.WRONG_ITEM: missing and unexpected,
        Reason.SHORT: missing,
        Reason.OVER: any(line.over for s in standings for line in s.lines),
        Reason.UNEXPECTED_ITEM: unexpected,
        Reason.UNMAPPED_ITEM: any(not extra.sku for s in standings for extra in s.extras),
        Reason.WAREHOUSE_MISMATCH: any(s.other_warehouse for s in standings),
    }
    return tuple(reason for reason, yes in applies.items() if yes)


def came_empty(standings: Sequence[Standing]) -> bool:
    """Whether nothing at all was in the parcel."""
    return any(s.missing for s in standings) and all(s.received == 0 and not s.extras for s in standings)


def describe(standings: Sequence[Standing]) -> Iterable[str]:
    """What is wrong, one sentence a fact, the most important first."""
    if came_empty(standings):
        yield "empty parcel"
    for s in standings:
        yield from describe_lines(s)
        for extra in s.extras:
            yield f"{extra.sku or extra.stated} {extra.quantity} {'not on ' + s.ra if extra.sku else 'unknown item'}"
        if s.other_warehouse:
            yield f"received at {s.other_warehouse}, authorized for {s.warehouse}"


def describe_lines(s: Standing) -> Iterable[str]:
    """What is wrong with the lines of one RA: damaged, then missing, then too many."""
    conditions = dict(text.split(": ", 1) for text in s.conditions)
    yield from (f"{line.sku} {line.second} {conditions.get(line.sku, 'second quality')}" for line in s.lines if line.second)
    yield from (f"{line.sku} short {line.missing} of {line.expected}" for line in s.lines if line.missing)
    yield from (f"{line.sku} over {line.over} (owner unknown)" for line in s.lines if line.over)


def open_bundles(standings: Sequence[Standing], authorizations: Sequence[Authorization]) -> Iterable[str]:
    """The bundles that miss a component: a bundle is complete only when all of it came (R-050)."""
    short = [(line_of(authorizations, s.ra, line.sku), line) for s, line in short_lines(standings)]
    bundles = dict.fromkeys(part.bundle for authorized, _ in short if authorized for part in authorized.bundle_parts)
    return (f"bundle {bundle} is incomplete" for bundle in bundles)


def price_candidates(rma: Return, standings: Sequence[Standing], authorizations: Sequence[Authorization]) -> tuple[str, ...]:
    """Where units of one SKU differ in value and only some came, the units that may be the missing ones, with their amounts (R-027)."""
    values = {unit.line_item_id: unit.value for unit in rma.units}
    found: list[str] = []
    for s, line in short_lines(standings):
        authorized = line_of(authorizations, s.ra, line.sku)
        ids = authorized.unit_ids if authorized and not authorized.bundle_parts else ()
        amounts = {values.get(i, ZERO) for i in ids}
        if line.missing < line.expected and len(amounts) > 1:
            found += [f"{line.sku} unit {i}: {values.get(i, ZERO):.2f}" for i in ids]
    return tuple(found)


def missing_units(rma: Return, standings: Sequence[Standing], authorizations: Sequence[Authorization]) -> tuple[str, ...] | None:
    """The Loop line items that did not come; None when Loop would refuse to remove them (an exchange, or every unit) or they are parts of a bundle."""
    if rma.expects_exchange:
        return None
    removed: list[str] = []
    for s, line in short_lines(standings):
        authorized = line_of(authorizations, s.ra, line.sku)
        if authorized is None or authorized.bundle_parts:
            return None
        removed += list(authorized.unit_ids)[-line.missing :]
    return tuple(removed) if len(removed) < len(rma.units) else None


def short_lines(standings: Sequence[Standing]) -> Iterable[tuple[Standing, LineStanding]]:
    """The lines with units missing."""
    return ((s, line) for s in standings for line in s.lines if line.missing)


def line_of(authorizations: Sequence[Authorization], ra: str, sku: str) -> AuthorizationLine | None:
    """The RA line of a SKU."""
    return next((line for a in authorizations if a.ra == ra for line in a.lines if line.sku == sku), None)
