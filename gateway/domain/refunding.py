"""What a Shopify refund means for stock and money (requirements R-019 to R-030, R-110 to R-124).

`assess` is one pure step from a refund and what is known around it to an assessment: per line imported, skipped or held; the stock postings; the credit
and how it was settled. The rules of lines and stock stand here, those of money in `crediting`:

1. A unit that never shipped is neither restocked nor credited: CANCEL lines, and whatever exceeds what was shipped and not yet credited. Lines
   that need no shipping (gift cards, services) are credited and never stocked.
2. RETURN goes to the RA's warehouse (without an RA: to the warehouse of Shopify's location). NO_RESTOCK goes to the second-quality warehouse of
   the RA's warehouse if the RA was received, else nowhere. LEGACY_RESTOCK is one of the two, by what Shopify did. Where the refund belongs to
   Shopify's own returns process, the dispositions of the goods decide for NO_RESTOCK lines (shopify-api 4.1).
3. Stock posted for a return never exceeds what was received for it, by SKU and warehouse.
4. A missing second-quality warehouse, or a restock type nobody knows, holds the refund whole: nothing of it posts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from gateway.domain import crediting, money
from gateway.domain.crediting import Credit, Move, OpenCredit, Settlement
from gateway.domain.documents import ZERO, Policy, Refund, RefundLine, Return, Warehouse

__all__ = [
    "Assessment",
    "Credit",
    "LineResult",
    "Move",
    "OpenCredit",
    "Posting",
    "ReceivedAt",
    "RefundLineOutcome",
    "Settlement",
    "Surroundings",
    "assess",
]

KNOWN_RESTOCKS = frozenset({"RETURN", "NO_RESTOCK", "CANCEL", "LEGACY_RESTOCK"})
BY_DISPOSITION = {"RESTOCKED": "RETURN", "NOT_RESTOCKED": "NO_RESTOCK", "PROCESSING_REQUIRED": "NO_RESTOCK", "MISSING": "MISSING"}


class LineResult(StrEnum):
    """What became of a refund line (words of R-200)."""

    IMPORTED = "imported"
    WITHOUT_STOCK = "imported without stock"
    SKIPPED = "skipped"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLineOutcome:
    """One line with its result; the quantities add up to the refund line's, `stocked` says how many of what went where (a bundle as its components)."""

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
    goods: str = "merchandise"
    stocked: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """Units to put into a warehouse."""

    warehouse: str
    sku: str
    quantity: int
    line_key: str
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedAt:
    """What one RA's warehouse received of a SKU and has not put in stock yet."""

    warehouse: str
    good: int
    second: int

    @property
    def units(self) -> int:
        """Both conditions."""
        return self.good + self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a refund comes to; `moves` settle credits made earlier."""

    lines: tuple[RefundLineOutcome, ...]
    postings: tuple[Posting, ...] = ()
    credit: Credit | None = None
    moves: tuple[Move, ...] = ()
    held: str = ""
    skipped: str = ""
    remarks: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known around a refund when it is assessed.

    By order line id: `shipped`, `credited` (units of other refunds), `disposed` (units of other refunds of the same Shopify return). By SKU: `received`,
    every RA's warehouse of the RMA with what is not in stock yet; empty when the RMA has no RA. `named`: Loop names this refund as the RMA's.
    `settled`: how the RMA's credits were settled so far, by kind. `open_credits`: credits of the order, or of the RMA whose exchange order it is,
    that were not paid out. `bundles`: the components of a SKU. `shipping_paid` and `shipping_credited` are the order's, in the shop's currency.
    """

    shipped: Mapping[str, int]
    credited: Mapping[str, int]
    warehouses: Mapping[str, Warehouse]
    rma: Return | None = None
    named: bool = False
    has_received: bool = False
    received: Mapping[str, tuple[ReceivedAt, ...]] = field(default_factory=dict)
    disposed: Mapping[str, int] = field(default_factory=dict)
    settled: Mapping[str, Decimal] = field(default_factory=dict)
    open_credits: tuple[OpenCredit, ...] = ()
    is_exchange_order: bool = False
    shipping_paid: Decimal | None = None
    shipping_credited: Decimal = ZERO
    default_warehouse: str = ""
    bundles: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Portion:
    """Units of a line that go the same way: RETURN, NO_RESTOCK or MISSING."""

    kind: str
    quantity: int
    location_id: str | None


def not_in_stock(
    come: Iterable[tuple[str, str, int, int]], *, posted: Mapping[tuple[str, str], int], warehouses: Mapping[str, Warehouse]
) -> dict[str, tuple[ReceivedAt, ...]]:
    """What came, as (warehouse, SKU, good, second) of each RA line, less what is in stock of it: by SKU, warehouse by warehouse.

    What was restocked is taken from the good units first, what went to second quality from the second ones.
    """
    left = dict(posted)
    found: dict[str, tuple[ReceivedAt, ...]] = {}
    for code, sku, good, second in come:
        sold = min(left.get((code, sku), 0), good + second)
        left[code, sku] = left.get((code, sku), 0) - sold
        at = warehouses[code].second_quality or ""
        aside = min(left.get((at, sku), 0), good + second - sold)
        left[at, sku] = left.get((at, sku), 0) - aside
        rest = good + second - sold - aside
        still_good = min(max(good - sold - max(aside - second, 0), 0), rest)
        found[sku] = (*found.get(sku, ()), ReceivedAt(warehouse=code, good=still_good, second=rest - still_good))
    return found


def assess(refund: Refund, around: Surroundings) -> Assessment:
    """Work out what a refund comes to; pure."""
    if refund.test:
        return Assessment(lines=(), skipped="test order")
    lines = share_out(refund, around)
    held = hold_reason(refund, lines, around)
    if held:
        return Assessment(lines=lines, held=held)
    moves = crediting.later_payment(refund, units=sum(line.imported for line in lines), around=around)
    credit, notes = crediting.credit(refund, lines, around, moves)
    if credit is None and not moves:
        return Assessment(lines=lines, skipped="never shipped" if refund.lines else "nothing in it")
    postings, remarks, tasks = restock(refund, lines, around)
    return Assessment(
        lines=tuple(with_stock(line, postings) for line in lines),
        postings=postings,
        credit=credit,
        moves=moves,
        remarks=(*remarks, *notes.remarks),
        tasks=(*tasks, *notes.tasks),
    )


def share_out(refund: Refund, around: Surroundings) -> tuple[RefundLineOutcome, ...]:
    """Split each line into what shipped (imported) and what never did (skipped)."""
    used: dict[str, int] = dict(around.credited)
    outcomes = []
    for line in refund.lines:
        room = max(around.shipped.get(line.order_line_id, 0) - used.get(line.order_line_id, 0), 0)
        room = room if line.requires_shipping else line.quantity
        imported = 0 if line.restock_type == "CANCEL" else min(line.quantity, room)
        used[line.order_line_id] = used.get(line.order_line_id, 0) + imported
        outcomes.append(line_outcome(line, imported, refund.currency))
    return tuple(outcomes)


def line_outcome(line: RefundLine, imported: int, currency: str) -> RefundLineOutcome:
    """The amounts of the imported part, by unit and rounded once; the rest belongs to the skipped part."""
    skipped = line.quantity - imported
    merchandise = money.rounded(line.subtotal * imported / line.quantity, currency) if skipped else line.subtotal
    tax = money.rounded(line.tax * imported / line.quantity, currency) if skipped else line.tax
    left_out = line.subtotal + line.tax - merchandise - tax
    reason = f"{line.sku} never shipped, {money.text(left_out, currency)} not imported" if skipped else ""
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
        goods="gift card" if line.gift_card else "merchandise" if line.requires_shipping else "service",
    )


def with_stock(line: RefundLineOutcome, postings: Iterable[Posting]) -> RefundLineOutcome:
    """A line with where its units went."""
    mine = tuple((p.warehouse, p.sku, p.quantity) for p in postings if p.line_key == line.key)
    result = LineResult.WITHOUT_STOCK if line.imported and not mine else line.result
    return replace(line, result=result, stocked=mine)


def hold_reason(refund: Refund, lines: tuple[RefundLineOutcome, ...], around: Surroundings) -> str:
    """Why the refund must wait whole; empty when it need not."""
    unknown = sorted({line.restock_type for line in refund.lines} - KNOWN_RESTOCKS)
    if unknown:
        return f"restock type {unknown[0]} is not known; a newer gateway may know it, else import the refund by hand"
    if any(t.status == "PENDING" and t.kind == "REFUND" for t in refund.transactions) and refund.cash == ZERO and not refund.lines:
        return "the refund's payment is still pending in Shopify"
    for line, source in zip(lines, refund.lines, strict=True):
        kinds = {portion.kind for portion in portions(source, line.imported, around)}
        if "NO_RESTOCK" not in kinds or not around.has_received:
            continue
        for at in (at for sku, _ in components(line.sku, around) for at in around.received.get(sku, ())):
            if at.units and not around.warehouses[at.warehouse].second_quality:
                code = at.warehouse
                return f"{code} has no second-quality warehouse: set second_quality for {code} under [[warehouses]] in gateway.toml"
    return ""


def portions(line: RefundLine, imported: int, around: Surroundings) -> list[_Portion]:
    """The imported units of a line by the way they go; the dispositions of Shopify's returns process decide where the line itself says NO_RESTOCK."""
    if not imported or not line.requires_shipping:
        return []
    kind = line.restock_type
    if kind == "LEGACY_RESTOCK":
        kind = "RETURN" if line.restocked else "NO_RESTOCK"
    if kind != "NO_RESTOCK" or not line.dispositions:
        return [_Portion(kind=kind, quantity=imported, location_id=line.location_id)]
    found, passed, rest = [], around.disposed.get(line.order_line_id, 0), imported
    for one in line.dispositions:
        quantity = min(max(one.quantity - passed, 0), rest)
        passed, rest = max(passed - one.quantity, 0), rest - quantity
        if quantity:
            found.append(_Portion(kind=BY_DISPOSITION.get(one.kind, "NO_RESTOCK"), quantity=quantity, location_id=one.location_id))
    return found + ([_Portion(kind="NO_RESTOCK", quantity=rest, location_id=None)] if rest else [])


@dataclass(slots=True)
class _Shelf:
    """The goods of one RA's warehouse while a refund is put in stock."""

    warehouse: str
    good: int
    units: int


def restock(
    refund: Refund, lines: tuple[RefundLineOutcome, ...], around: Surroundings
) -> tuple[tuple[Posting, ...], tuple[str, ...], tuple[str, ...]]:
    """Where the units go: postings, remarks and what needs a person."""
    shelves = {sku: [_Shelf(at.warehouse, at.good, at.units) for at in places] for sku, places in around.received.items()}
    postings: list[Posting] = []
    remarks: list[str] = []
    tasks: list[str] = []
    for line, source in zip(lines, refund.lines, strict=True):
        if source.restock_type == "LEGACY_RESTOCK" and line.imported:
            remarks.append(f"{line.sku}: LEGACY_RESTOCK, read as {'RETURN' if source.restocked else 'NO_RESTOCK'}")
        for portion in portions(source, line.imported, around):
            if portion.kind == "MISSING":
                remarks.append(f"{line.sku}: {portion.quantity} missing by Shopify's return, not put in stock")
                continue
            for sku, count in components(line.sku, around):
                made, asked = put_away(replace(line, sku=sku), replace(portion, quantity=portion.quantity * count), shelves, around)
                postings += made
                tasks += asked
    merged = merge(postings)
    remarks += [f"{p.sku}: {p.remark}" for p in merged if p.remark]
    return merged, tuple(dict.fromkeys(remarks)), tuple(tasks)


def components(sku: str, around: Surroundings) -> tuple[tuple[str, int], ...]:
    """What goes into stock for one unit of a SKU: itself, or what the bundle is made of that it is (R-050)."""
    return around.bundles.get(sku) or ((sku, 1),)


def put_away(
    line: RefundLineOutcome, portion: _Portion, shelves: Mapping[str, list[_Shelf]], around: Surroundings
) -> tuple[list[Posting], list[str]]:
    """Put the units of one SKU away, and ask about those that no receipt has."""
    if line.sku not in shelves:
        return without_ra(line, portion, around), []
    made = from_shelves(line, portion, shelves[line.sku], around)
    return made, beyond_receipt(line, portion, made, around)


def without_ra(line: RefundLineOutcome, portion: _Portion, around: Surroundings) -> list[Posting]:
    """Without an RA only Shopify's own restock counts; NO_RESTOCK moves nothing (R-023, R-110)."""
    if portion.kind == "NO_RESTOCK":
        return []
    at = warehouse_at(portion.location_id, around) or around.default_warehouse
    return [Posting(warehouse=at, sku=line.sku, quantity=portion.quantity, line_key=line.key, remark="restocked without receipt")] if at else []


def warehouse_at(location_id: str | None, around: Surroundings) -> str:
    """The warehouse of a Shopify location; empty when none has it."""
    return next((w.code for w in around.warehouses.values() if location_id and w.shopify_location == location_id), "")


def from_shelves(line: RefundLineOutcome, portion: _Portion, shelves: list[_Shelf], around: Surroundings) -> list[Posting]:
    """Post up to what was received (R-111): NO_RESTOCK to second quality, RETURN to the RA's warehouse, that of Shopify's location first."""
    wanted, rest, found = warehouse_at(portion.location_id, around), portion.quantity, []
    for shelf in sorted(shelves, key=lambda s: s.warehouse != wanted):
        quantity = min(rest, max(shelf.units, 0))
        if not quantity:
            continue
        good = min(shelf.good, quantity) if portion.kind == "RETURN" else max(quantity - (shelf.units - shelf.good), 0)
        shelf.units, shelf.good, rest = shelf.units - quantity, shelf.good - good, rest - quantity
        second = portion.kind == "NO_RESTOCK"
        to = (around.warehouses[shelf.warehouse].second_quality or "") if second else shelf.warehouse
        overridden = not second and good < quantity
        remark = "condition overridden by reviewer" if overridden else "received good, not restocked by reviewer" if second and good else ""
        found.append(Posting(warehouse=to, sku=line.sku, quantity=quantity, line_key=line.key, remark=remark))
    return found


def beyond_receipt(line: RefundLineOutcome, portion: _Portion, made: list[Posting], around: Surroundings) -> list[str]:
    """The task about units that a refund restocks and no receipt has; a kept item of an RA that was never received is none."""
    put = sum(p.quantity for p in made)
    if put == portion.quantity or (portion.kind == "NO_RESTOCK" and not around.has_received):
        return []
    return [f"{line.sku}: the refund restocks {portion.quantity}, the receipt has {put}; {portion.quantity - put} not put in stock"]


def merge(postings: list[Posting]) -> tuple[Posting, ...]:
    """One posting for each line, warehouse and SKU: the ledger's reference is the refund's line."""
    found: dict[tuple[str, str, str], Posting] = {}
    for p in postings:
        before = found.get((p.line_key, p.warehouse, p.sku))
        quantity = p.quantity + (before.quantity if before else 0)
        remark = p.remark or (before.remark if before else "")
        found[p.line_key, p.warehouse, p.sku] = Posting(warehouse=p.warehouse, sku=p.sku, quantity=quantity, line_key=p.line_key, remark=remark)
    return tuple(found.values())
