"""Where an RA stands: every receipt of it added up (requirements R-090, R-091, R-096).

Per line good + second + missing = expected, always; what came beyond the line or beside the RA is an *extra* whose owner is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.domain.documents import Authorization, AuthorizationLine, Receipt


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
    received_on: date | None = None

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
        received_on=max((receipt.received_on for receipt in receipts), default=None),
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
