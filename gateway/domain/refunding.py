"""What a Shopify refund means for stock and money (requirements R-019 to R-030, R-110 to R-116).

`assess` is one pure step from a refund and what is known around it to an assessment: per line imported, skipped or held; the stock postings; the credit
and how it was settled. The rules, in order:

1. A unit that never shipped is neither restocked nor credited: CANCEL lines, and whatever exceeds what was shipped and not yet credited.
2. RETURN goes to the RA's warehouse (without an RA: to the warehouse of Shopify's location). NO_RESTOCK goes to the second-quality warehouse of
   the RA's warehouse if the RA was received, else nowhere. LEGACY_RESTOCK reads as RETURN.
3. Stock posted for a return never exceeds what was received for it, by SKU.
4. A missing second-quality warehouse holds the refund whole: nothing of it posts.
5. The credit is goods and tax as Shopify states them, plus refunded shipping and duties. Its settlement adds up to it: cash by gateway, store credit,
   exchange credit, fee kept; what remains is listed as unexplained, never spread over lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from gateway.domain.documents import ZERO, Refund, RefundLine, Return, Warehouse, cents

STORE_CREDIT_GATEWAYS = frozenset({"gift_card", "shopify_store_credit", "store_credit"})


class LineResult(StrEnum):
    """What became of a refund line (words of R-200)."""

    IMPORTED = "imported"
    WITHOUT_STOCK = "imported without stock"
    SKIPPED = "skipped"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLineOutcome:
    """One line with its result; the quantities add up to the refund line's."""

    key: str
    sku: str
    imported: int
    skipped: int
    merchandise: Decimal
    tax: Decimal
    skipped_value: Decimal
    restock_type: str
    result: LineResult
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """Units to put into a warehouse."""

    warehouse: str
    sku: str
    quantity: int
    line_key: str
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One way in which a credit was settled: kind is cash, store credit, exchange credit, fee kept or unexplained."""

    kind: str
    amount: Decimal
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The amounts of a credit invoice; `total` = merchandise + tax + shipping + duties = sum of the settlements."""

    merchandise: Decimal
    tax: Decimal
    shipping: Decimal
    duties: Decimal
    currency: str
    settlements: tuple[Settlement, ...]

    @property
    def total(self) -> Decimal:
        """The credit's total."""
        return self.merchandise + self.tax + self.shipping + self.duties

    @property
    def cash(self) -> Decimal:
        """What was paid out."""
        return self.settled("cash")

    def settled(self, kind: str) -> Decimal:
        """The sum settled in one way."""
        return sum((s.amount for s in self.settlements if s.kind == kind), ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a refund comes to."""

    lines: tuple[RefundLineOutcome, ...]
    postings: tuple[Posting, ...] = ()
    credit: Credit | None = None
    held: str = ""
    skipped: str = ""
    remarks: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known around a refund when it is assessed.

    `shipped` and `credited` are by order line id; `received_good`, `received_second` and `posted` by SKU for the RMA's RAs; `warehouse_of` gives the
    warehouse of the RA that holds a SKU; `credited_before` is credit of the same RMA not settled in cash yet.
    """

    shipped: Mapping[str, int]
    credited: Mapping[str, int]
    warehouses: Mapping[str, Warehouse]
    rma: Return | None = None
    received: bool = False
    warehouse_of: Mapping[str, str] = field(default_factory=dict)
    received_good: Mapping[str, int] = field(default_factory=dict)
    received_second: Mapping[str, int] = field(default_factory=dict)
    posted: Mapping[str, int] = field(default_factory=dict)
    open_exchange_credit: Decimal = ZERO
    default_warehouse: str = ""


def assess(refund: Refund, around: Surroundings) -> Assessment:
    """Work out what a refund comes to; pure."""
    if refund.test:
        return Assessment(lines=(), skipped="test order")
    lines = share_out(refund, around)
    held = hold_reason(refund, lines, around)
    if held:
        return Assessment(lines=lines, held=held)
    goods = sum((line.imported for line in lines), 0)
    if refund.lines and not goods and not refund.shipping:
        return Assessment(lines=lines, skipped="never shipped")
    postings, remarks, tasks = restock(refund, lines, around)
    settles = settles_earlier_credit(refund, around)
    if settles:
        return Assessment(lines=lines, remarks=(settles,), credit=None)
    money = credit(refund, lines, around)
    unexplained = money.settled("unexplained")
    if unexplained:
        tasks = (*tasks, f"refund {refund.refund_id}: {unexplained:.2f} {refund.currency} of the credit {money.total:.2f} is not explained by cash, "
                 "store credit, exchange or fee; compare the refund in Shopify with the return in Loop")  # fmt: skip
    return Assessment(lines=lines, postings=postings, credit=money, remarks=remarks, tasks=tasks)


def share_out(refund: Refund, around: Surroundings) -> tuple[RefundLineOutcome, ...]:
    """Split each line into what shipped (imported) and what never did (skipped)."""
    used: dict[str, int] = dict(around.credited)
    outcomes = []
    for line in refund.lines:
        room = max(around.shipped.get(line.order_line_id, 0) - used.get(line.order_line_id, 0), 0)
        imported = 0 if line.restock_type == "CANCEL" else min(line.quantity, room)
        used[line.order_line_id] = used.get(line.order_line_id, 0) + imported
        outcomes.append(line_outcome(line, imported))
    return tuple(outcomes)


def line_outcome(line: RefundLine, imported: int) -> RefundLineOutcome:
    """The amounts of the imported part, by unit and rounded once; the rest belongs to the skipped part."""
    skipped = line.quantity - imported
    merchandise = cents(line.subtotal * imported / line.quantity) if line.quantity else line.subtotal
    tax = cents(line.tax * imported / line.quantity) if line.quantity else line.tax
    left_out = line.subtotal + line.tax - merchandise - tax
    reason = f"{line.sku} never shipped, {left_out:.2f} not imported" if skipped else ""
    return RefundLineOutcome(
        key=line.key,
        sku=line.sku,
        imported=imported,
        skipped=skipped,
        merchandise=merchandise,
        tax=tax,
        skipped_value=left_out,
        restock_type=line.restock_type,
        result=LineResult.IMPORTED if imported else LineResult.SKIPPED,
        reason=reason,
    )


def hold_reason(refund: Refund, lines: tuple[RefundLineOutcome, ...], around: Surroundings) -> str:
    """Why the refund must wait whole; empty when it need not."""
    if any(t.status == "PENDING" and t.kind == "REFUND" for t in refund.transactions) and refund.cash == ZERO and not refund.lines:
        return "the refund's payment is still pending in Shopify"
    for line in lines:
        code = around.warehouse_of.get(line.sku)
        if line.imported and line.restock_type == "NO_RESTOCK" and around.received and code:
            warehouse = around.warehouses[code]
            if not warehouse.second_quality:
                return f"{code} has no second-quality warehouse: set second_quality for {code} under [[warehouses]] in gateway.toml"
    return ""


def restock(
    refund: Refund, lines: tuple[RefundLineOutcome, ...], around: Surroundings
) -> tuple[tuple[Posting, ...], tuple[str, ...], tuple[str, ...]]:
    """Where the units go: postings, remarks and what needs a person."""
    locations = {line.key: line.location_id for line in refund.lines}
    room = {
        sku: around.received_good.get(sku, 0) + around.received_second.get(sku, 0) - around.posted.get(sku, 0) for sku in {line.sku for line in lines}
    }
    postings: list[Posting] = []
    remarks: list[str] = []
    tasks: list[str] = []
    for line in lines:
        if not line.imported or line.restock_type == "CANCEL":
            continue
        code = around.warehouse_of.get(line.sku)
        if code is None:
            post = without_ra(line, locations[line.key], around)
        else:
            post, task = with_ra(line, code, room[line.sku], around)
            tasks += [task] if task else []
        if post:
            room[line.sku] -= post.quantity
            postings.append(post)
            remarks += [f"{line.sku}: {post.remark}"] if post.remark else []
    return tuple(postings), tuple(remarks), tuple(tasks)


def without_ra(line: RefundLineOutcome, location_id: str | None, around: Surroundings) -> Posting | None:
    """Without an RA only Shopify's own restock counts; NO_RESTOCK moves nothing (R-023, R-110)."""
    if line.restock_type == "NO_RESTOCK":
        return None
    at = next((w.code for w in around.warehouses.values() if location_id and w.shopify_location == location_id), around.default_warehouse)
    if not at:
        return None
    return Posting(warehouse=at, sku=line.sku, quantity=line.imported, line_key=line.key, remark="restocked without receipt")


def with_ra(line: RefundLineOutcome, code: str, room: int, around: Surroundings) -> tuple[Posting | None, str]:
    """Post up to what was received (R-111); NO_RESTOCK to second quality, RETURN to the RA's warehouse."""
    if line.restock_type == "NO_RESTOCK" and not around.received:
        return None, ""
    quantity = min(line.imported, max(room, 0))
    task = ""
    if quantity < line.imported:
        task = f"{line.sku}: the refund restocks {line.imported}, the receipt has {quantity}; {line.imported - quantity} not put in stock"
    if not quantity:
        return None, task
    warehouse = around.warehouses[code]
    if line.restock_type == "NO_RESTOCK":
        return Posting(warehouse=warehouse.second_quality or "", sku=line.sku, quantity=quantity, line_key=line.key), task
    overridden = around.received_second.get(line.sku, 0) > 0 and around.received_good.get(line.sku, 0) < quantity
    remark = "condition overridden by reviewer" if overridden else ""
    return Posting(warehouse=code, sku=line.sku, quantity=quantity, line_key=line.key, remark=remark), task


def settles_earlier_credit(refund: Refund, around: Surroundings) -> str:
    """Money paid later for goods credited before (no lines, cash, balanced by a negative adjustment) makes no second credit (R-124)."""
    given_back = -sum((a.amount for a in refund.adjustments if a.amount < 0), ZERO)
    if refund.lines or not refund.cash or refund.shipping or not around.open_exchange_credit:
        return ""
    if given_back == refund.cash and refund.cash <= around.open_exchange_credit:
        return f"{refund.cash:.2f} paid out settles the credit made earlier"
    return ""


def credit(refund: Refund, lines: tuple[RefundLineOutcome, ...], around: Surroundings) -> Credit:
    """The credit invoice's amounts and how they were settled."""
    merchandise = sum((line.merchandise for line in lines), ZERO)
    tax = sum((line.tax for line in lines), ZERO)
    left_out = sum((line.skipped_value for line in lines), ZERO)
    total = merchandise + tax + refund.shipping + refund.duties
    if not refund.lines and not total:
        merchandise = total = refund.cash  # goodwill: money without goods
    return Credit(
        merchandise=merchandise,
        tax=tax,
        shipping=refund.shipping,
        duties=refund.duties,
        currency=refund.currency,
        settlements=settle(refund, total=total, left_out=left_out, around=around),
    )


def settle(refund: Refund, *, total: Decimal, left_out: Decimal, around: Surroundings) -> tuple[Settlement, ...]:
    """Split a credit by how it was paid: the money that moved first, then what Loop says became of the rest."""
    found: list[Settlement] = []
    rest = total
    unshipped = left_out
    for t in refund.transactions:
        if t.kind != "REFUND" or t.status != "SUCCESS":
            continue
        for_unshipped = min(unshipped, t.amount)
        unshipped -= for_unshipped
        amount = min(t.amount - for_unshipped, rest)
        rest -= amount
        if amount:
            kind = "store credit" if t.gateway in STORE_CREDIT_GATEWAYS else "cash"
            found.append(Settlement(kind=kind, amount=amount, detail=t.gateway))
    for kind, ceiling in ways_besides_cash(refund, around):
        amount = min(rest, ceiling)
        rest -= amount
        if amount > 0:
            found.append(Settlement(kind=kind, amount=amount))
    if rest:
        found.append(Settlement(kind="unexplained", amount=rest))
    return tuple(found)


def ways_besides_cash(refund: Refund, around: Surroundings) -> tuple[tuple[str, Decimal], ...]:
    """How value can be settled without cash, each with its most."""
    adjusted = sum((a.amount for a in refund.adjustments if a.amount > 0), ZERO)
    if around.rma is None:
        return (("fee kept", adjusted),)
    return (
        ("fee kept", around.rma.handling_fee),
        ("store credit", around.rma.gift_card),
        ("exchange credit", around.rma.exchange_credit),
    )
