"""What came back against what was authorized, and what is decided about it (requirements R-026, R-090 to R-100).

Two pure steps. `accumulate` adds up every receipt of an RA: per line good + second + missing = expected, always; what came beyond the line or beside
the RA is an *extra* whose owner is unknown. `decide` looks at all RAs of an RMA together: wait, process, flag with every reason that applies, or remove
the missing units and process the rest. A decision carries the rule that made it, so that it can be explained later from itself alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.domain.documents import ZERO, Authorization, AuthorizationLine, Policy, Receipt, Return


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


class Verdict(StrEnum):
    """What is decided."""

    WAIT = "wait"
    PROCESS = "process"
    FLAG = "flag"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStanding:
    """One RA line: expected = good + second + missing; `over` came on top."""

    line_no: int
    sku: str
    expected: int
    good: int
    second: int
    over: int

    @property
    def missing(self) -> int:
        """Units that have not come."""
        return self.expected - self.good - self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Units that came beside the RA: `sku` is empty when the item is unknown to us."""

    sku: str
    stated: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An RA with everything received for it so far."""

    ra: str
    warehouse: str
    lines: tuple[LineStanding, ...]
    extras: tuple[Extra, ...] = ()
    final: bool = False
    receipt_nos: tuple[str, ...] = ()
    other_warehouse: str = ""
    conditions: tuple[str, ...] = ()

    @property
    def expected(self) -> int:
        """Units authorized."""
        return sum(line.expected for line in self.lines)

    @property
    def received(self) -> int:
        """Units that came and belong to the RA."""
        return sum(line.good + line.second for line in self.lines)

    @property
    def missing(self) -> int:
        """Units that have not come."""
        return sum(line.missing for line in self.lines)

    @property
    def full(self) -> bool:
        """Every unit is accounted for: come, or another known item came in its place."""
        swapped = sum(extra.quantity for extra in self.extras if extra.sku)
        return bool(self.receipt_nos) and self.missing - swapped <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to happen with an RMA, and why."""

    verdict: Verdict
    rule: str
    reasons: tuple[Reason, ...] = ()
    sentences: tuple[str, ...] = ()
    remove_units: tuple[str, ...] = ()
    candidates: tuple[str, ...] = field(default=())


def accumulate(ra: Authorization, receipts: Sequence[Receipt]) -> Standing:
    """Add up all receipts of one RA."""
    good: dict[str, int] = {}
    second: dict[str, int] = {}
    stated: dict[str, str] = {}
    conditions: dict[str, None] = {}
    for receipt in receipts:
        for line in receipt.lines:
            key = line.sku or f"?{line.stated}"
            good[key] = good.get(key, 0) + line.good
            second[key] = second.get(key, 0) + line.second
            stated[key] = line.stated
            if line.second and line.condition:
                conditions[f"{line.sku or line.stated}: {line.condition}"] = None
    standings = tuple(stand(line, good.pop(line.sku, 0), second.pop(line.sku, 0)) for line in ra.lines)
    extras = tuple(
        Extra(sku="" if key.startswith("?") else key, stated=stated[key], quantity=good[key] + second[key])
        for key in good
        if good[key] + second[key] > 0
    )
    elsewhere = [receipt.warehouse for receipt in receipts if receipt.warehouse and receipt.warehouse != ra.warehouse]
    return Standing(
        ra=ra.ra,
        warehouse=ra.warehouse,
        lines=standings,
        extras=extras,
        final=any(receipt.final for receipt in receipts) or closed_short(standings, receipts),
        receipt_nos=tuple(dict.fromkeys(receipt.receipt_no for receipt in receipts)),
        other_warehouse=elsewhere[0] if elsewhere else "",
        conditions=tuple(conditions),
    )


def stand(line: AuthorizationLine, good: int, second: int) -> LineStanding:
    """Fill a line with what came, good units first; the rest is over."""
    within_good = min(good, line.quantity)
    within_second = min(second, line.quantity - within_good)
    over = good + second - within_good - within_second
    return LineStanding(line_no=line.line_no, sku=line.sku, expected=line.quantity, good=within_good, second=within_second, over=over)


def closed_short(standings: Iterable[LineStanding], receipts: Iterable[Receipt]) -> bool:
    """Whether the partner itself has declared every missing unit as short, which closes the RA as a final mark does (x12 section 8.2)."""
    declared: dict[str, int] = {}
    for receipt in receipts:
        for line in receipt.lines:
            declared[line.sku] = declared.get(line.sku, 0) + line.missing
    open_lines = [line for line in standings if line.missing]
    return bool(open_lines) and all(declared.get(line.sku, 0) >= line.missing for line in open_lines)


def decide(rma: Return, standings: Sequence[Standing], *, authorizations: Sequence[Authorization], policy: Policy, waited_out: bool) -> Decision:
    """Decide one RMA from the standing of all its RAs (R-095: one decision)."""
    unsettled = [s for s in standings if not (s.full or s.final)]
    if unsettled and not (waited_out and any(s.receipt_nos for s in standings)):
        names = ", ".join(f"{s.ra} ({s.received} of {s.expected} units)" for s in unsettled)
        return Decision(verdict=Verdict.WAIT, rule="wait for the rest", sentences=(f"Waiting for {names}.",))
    reasons = find_reasons(standings)
    if not reasons:
        sentence = " ".join(f"{s.ra} came in full and good at {s.warehouse} ({s.received} of {s.expected} units)." for s in standings)
        return Decision(verdict=Verdict.PROCESS, rule="in full and good → process", sentences=(sentence,))
    sentences = tuple(describe(standings))
    candidates = price_candidates(rma, standings, authorizations)
    rule = " + ".join(word_of(reason) for reason in reasons) + " → flag"
    if set(reasons) == {Reason.SHORT} and policy.short == "remove_and_process" and not candidates:
        removable = missing_units(rma, standings, authorizations)
        if removable is not None:
            return Decision(
                verdict=Verdict.REMOVE,
                rule="short → remove missing and process",
                reasons=reasons,
                sentences=sentences,
                remove_units=removable,
            )
        rule = "short with an exchange line → flag"
    return Decision(verdict=Verdict.FLAG, rule=rule, reasons=reasons, sentences=sentences, candidates=candidates)


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


def price_candidates(rma: Return, standings: Sequence[Standing], authorizations: Sequence[Authorization]) -> tuple[str, ...]:
    """Where units of one SKU differ in value and only some came, the units that may be the missing ones, with their amounts (R-027)."""
    values = {unit.line_item_id: unit.value for unit in rma.units}
    found: list[str] = []
    for s, line in short_lines(standings):
        ids = unit_ids(authorizations, s.ra, line.sku)
        amounts = {values.get(i, ZERO) for i in ids}
        if line.missing < line.expected and len(amounts) > 1:
            found += [f"{line.sku} unit {i}: {values.get(i, ZERO):.2f}" for i in ids]
    return tuple(found)


def missing_units(rma: Return, standings: Sequence[Standing], authorizations: Sequence[Authorization]) -> tuple[str, ...] | None:
    """The Loop line items that did not come; None when Loop would refuse to remove them (an exchange, or every unit)."""
    if rma.expects_exchange:
        return None
    removed: list[str] = []
    for s, line in short_lines(standings):
        removed += list(unit_ids(authorizations, s.ra, line.sku))[-line.missing :]
    return tuple(removed) if len(removed) < len(rma.units) else None


def short_lines(standings: Sequence[Standing]) -> Iterable[tuple[Standing, LineStanding]]:
    """The lines with units missing."""
    return ((s, line) for s in standings for line in s.lines if line.missing)


def unit_ids(authorizations: Sequence[Authorization], ra: str, sku: str) -> tuple[str, ...]:
    """The Loop line items behind one RA line."""
    return next((line.unit_ids for a in authorizations if a.ra == ra for line in a.lines if line.sku == sku), ())
