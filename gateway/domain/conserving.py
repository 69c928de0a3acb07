"""Units and money are neither made nor lost: the identities of one return (requirements R-090, R-112 to R-114, R-183).

`broken` names every identity that does not hold, with the figures on both sides; an account without a finding is proven. The accounts are made from
independent records: RA lines, receipts as the partner sent them, refund lines, the stock ledger, credit invoices, Loop's own amounts.

    authorized = received good + second + missing + not returned          (nothing missing once the RA is closed)
    received   = restocked + second quality + owner unknown + waiting     (waiting for a refund, never negative)
    ledger     = what the refund lines put in stock, line by line
    credit     = its parts = its settlements, for each invoice
    Loop       : returned goods + upsell + bonus = refund + store credit + exchange value + fee
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from gateway.domain import money
from gateway.domain.documents import ZERO, Return


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAccount:
    """One RA line as the book has it, and what its receipts add up to by themselves."""

    ra: str
    sku: str
    authorized: int
    good: int
    second: int
    not_returned: int
    over: int
    receipts_good: int
    receipts_second: int
    receipts_over: int
    closed: bool

    @property
    def missing(self) -> int:
        """Units that have not come and are not given up."""
        return self.authorized - self.good - self.second - self.not_returned


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsAccount:
    """The goods of one SKU of a return: `received` counts everything that came for it, `unknown` what belongs to nobody yet."""

    sku: str
    received: int
    unknown: int
    restocked: int
    second: int
    credited: int

    @property
    def waiting(self) -> int:
        """Units that came and wait for a refund to say where they go."""
        return self.received - self.unknown - self.restocked - self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class StockAccount:
    """What one refund line put into a warehouse, and what the ledger has for it."""

    reference: str
    warehouse: str
    sku: str
    by_refund: int
    in_ledger: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAccount:
    """A credit invoice: its total, the sum of its parts, of its settlements by now, and what the refund's row and lines say."""

    invoice: str
    currency: str
    total: Decimal
    parts: Decimal
    settled: Decimal
    by_refund: Decimal
    goods: Decimal
    by_lines: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Everything of one return that must add up; `rma` is empty for refunds without a return."""

    rma: str
    lines: tuple[LineAccount, ...] = ()
    goods: tuple[GoodsAccount, ...] = ()
    stock: tuple[StockAccount, ...] = ()
    credits: tuple[CreditAccount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An identity that does not hold."""

    identity: str
    rma: str
    text: str


def broken(account: Account) -> Iterator[Broken]:
    """Every identity that does not hold for a return."""
    checks = (
        ("authorized", (fault for line in account.lines for fault in authorized(line))),
        ("received", (fault for goods in account.goods for fault in received(goods))),
        ("stock", (fault for stock in account.stock for fault in stocked(stock))),
        ("credit", (fault for one in account.credits for fault in credited(one))),
    )
    for identity, faults in checks:
        for fault in faults:
            yield Broken(identity=identity, rma=account.rma, text=f"RMA {account.rma or 'none'}: {fault}")


def authorized(line: LineAccount) -> Iterator[str]:
    """What is wrong with an RA line."""
    parts = (line.good, line.second, line.missing, line.not_returned)
    sums = f"authorized {line.authorized}, good {line.good}, second {line.second}, not returned {line.not_returned}, missing {line.missing}"
    if min(parts) < 0:
        yield f"{line.ra} {line.sku}: {sums}: more than was authorized"
    if line.closed and line.missing > 0:
        yield f"{line.ra} {line.sku}: {sums}: the RA is closed, but units are neither received nor given up"
    ours, theirs = (line.good, line.second, line.over), (line.receipts_good, line.receipts_second, line.receipts_over)
    if ours != theirs:
        yield (
            f"{line.ra} {line.sku}: the line has good, second and over {', '.join(map(str, ours))}; its receipts add up to {', '.join(map(str, theirs))}"
        )


def received(goods: GoodsAccount) -> Iterator[str]:
    """What is wrong with where the goods of a SKU are."""
    if goods.waiting < 0:
        known = goods.received - goods.unknown
        yield f"{goods.sku}: {goods.restocked} restocked and {goods.second} in second quality, but {known} received (and {goods.unknown} owner unknown)"
    if goods.restocked + goods.second > goods.credited:
        yield f"{goods.sku}: {goods.restocked + goods.second} put in stock, but {goods.credited} credited by refunds"


def stocked(one: StockAccount) -> Iterator[str]:
    """What is wrong with a stock movement."""
    if one.by_refund != one.in_ledger:
        yield f"{one.reference}: the refund put {one.by_refund} x {one.sku} into {one.warehouse}, the stock ledger has {one.in_ledger}"


def credited(one: CreditAccount) -> Iterator[str]:
    """What is wrong with a credit invoice."""
    sides = {"its parts": one.parts, "its settlements": one.settled, "the refund's credit": one.by_refund}
    for name, amount in sides.items():
        if amount != one.total:
            yield f"{one.invoice}: total {money.text(one.total, one.currency)} {one.currency}, {name} {money.text(amount, one.currency)}"
    if one.goods != one.by_lines:
        goods, lines = money.text(one.goods, one.currency), money.text(one.by_lines, one.currency)
        yield f"{one.invoice}: merchandise and tax {goods} {one.currency}, the refund's lines {lines}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSides:
    """Both sides of Loop's own money identity; `bonus` is what the merchant may have added."""

    rma: str
    currency: str
    given: Decimal
    asked: Decimal
    bonus: Decimal

    @property
    def difference(self) -> Decimal:
        """What was given beyond (positive) or short of (negative) what was asked; zero when the bonus explains it."""
        return self.given - self.asked - self.bonus


def loop_sides(rma: Return, *, most_bonus: Decimal = ZERO) -> LoopSides:
    """R-114 for one return: Loop's interface tells no bonus credit, so what is given beyond the goods counts as bonus up to the merchant's most."""
    asked = rma.return_total + rma.upsell
    given = rma.refund + rma.gift_card + rma.exchange_total + rma.handling_fee
    bonus = min(max(given - asked, ZERO), most_bonus) if rma.outcomes - {"refund", "default"} else ZERO
    return LoopSides(rma=rma.rma, currency=rma.currency, given=given, asked=asked, bonus=bonus)
