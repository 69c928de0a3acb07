"""The documents of a return, as values.

A *return* is Loop's (number: RMA, one unit per line item); an *authorization* is ours (number: RA), for one warehouse. A *receipt* is what a
partner says came back. A *refund* and an *order* are Shopify's. All are frozen; amounts are Decimal in `currency`, quantities are int, instants
are UTC. Nothing here knows how a document travels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from gateway.domain import money
from gateway.domain.policies import Rules

ZERO = money.ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnUnit:
    """One returned unit: one entry of Loop's `line_items`, which has no quantity (loop-api, list fields)."""

    line_item_id: str
    order_line_id: str
    sku: str
    barcode: str = ""
    title: str = ""
    price: Decimal = ZERO
    discount: Decimal = ZERO
    tax: Decimal = ZERO
    value: Decimal = ZERO
    reason: str = ""
    comment: str = ""
    outcome: str = "default"
    destination_id: str | None = None
    bag_barcode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A new item the shopper takes instead."""

    exchange_id: str
    order_id: str | None
    order_name: str | None
    sku: str
    total: Decimal
    out_of_stock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One box: its carrier, tracking number, carrier status and the units in it."""

    carrier: str
    tracking_number: str
    status: str
    line_item_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """An RMA as Loop shows it at one moment."""

    rma: str
    state: str
    outcomes: frozenset[str]
    order_id: str
    order_name: str
    currency: str
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None = None
    destination_id: str | None = None
    units: tuple[ReturnUnit, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    labels: tuple[Label, ...] = ()
    return_total: Decimal = ZERO
    exchange_total: Decimal = ZERO
    refund: Decimal = ZERO
    gift_card: Decimal = ZERO
    handling_fee: Decimal = ZERO
    upsell: Decimal = ZERO
    refund_ids: tuple[str, ...] = ()
    shopper: str = ""
    bag_barcode: str = ""

    @property
    def is_instant_exchange(self) -> bool:
        """Whether the exchange order was placed before the goods came back (R-104)."""
        return self.state in ("open", "review") and any(exchange.order_id for exchange in self.exchanges)

    @property
    def expects_exchange(self) -> bool:
        """Whether an exchange order (or items added to the original one) belongs to this return."""
        return bool(self.exchanges) or bool(self.outcomes & {"exchange", "upsell"})

    @property
    def exchange_credit(self) -> Decimal:
        """The part of the returned value that goes into new goods (the rest of a dearer exchange is `upsell`)."""
        return max(self.exchange_total - self.upsell, ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundlePart:
    """How many of a line's units are components of a bundle that one Loop line item stands for (R-050)."""

    line_item_id: str
    bundle: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationLine:
    """All units of one SKU on an RA; each stays traceable by its Loop line item id, also where it is a component of a bundle."""

    line_no: int
    sku: str
    upc: str
    title: str
    quantity: int
    unit_ids: tuple[str, ...]
    value: Decimal
    tax: Decimal
    reason: str = ""
    comment: str = ""
    bundle_parts: tuple[BundlePart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLine:
    """Units of an RA line in one package."""

    line_no: int
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A box on its way: its label, and what is in it (R-053)."""

    number: int
    carrier: str
    tracking_number: str
    lines: tuple[PackedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """An RA: what one warehouse shall expect for one RMA."""

    ra: str
    rma: str
    version: int
    partner: str
    warehouse: str
    order_id: str
    order_name: str
    currency: str
    created_at: datetime
    lines: tuple[AuthorizationLine, ...]
    carrier: str = ""
    tracking_numbers: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    shopper: str = ""
    expected_on: date | None = None
    bag_barcode: str = ""

    @property
    def boxes(self) -> tuple[Package, ...]:
        """The packages, or, where none are known, one without number that holds everything."""
        whole = tuple(PackedLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity) for line in self.lines)
        return self.packages or (Package(number=0, carrier="", tracking_number="", lines=whole),)

    @property
    def units(self) -> int:
        """How many units are expected."""
        return sum(line.quantity for line in self.lines)

    @property
    def value(self) -> Decimal:
        """Expected value with tax."""
        return sum((line.value + line.tax for line in self.lines), ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """One line of a receipt. `stated` is the identifier as the partner wrote it; `sku` is ours, empty while it resolves to none.

    `grade` and `disposition` are the partner's words, `photos` its links.
    """

    stated: str
    sku: str
    good: int
    second: int
    missing: int = 0
    condition: str = ""
    note: str = ""
    position: str = ""
    grade: str = ""
    disposition: str = ""
    photos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a partner reports as received in one document."""

    partner: str
    receipt_no: str
    ra_reference: str
    received_on: date
    lines: tuple[ReceiptLine, ...]
    final: bool = False
    warehouse: str = ""
    tracking_numbers: tuple[str, ...] = ()
    order_reference: str = ""
    references: tuple[str, ...] = ()
    position: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLine:
    """A count of one item in one quality (`good`, `second`, empty when not said), or in an adjustment how it moved and the partner's reason code."""

    stated: str
    sku: str
    quality: str
    quantity: int
    reason: str = ""
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockReport:
    """What a partner says it has (`kind` snapshot: 846, INVRPT) or how that changed (adjustment: 947); `warehouse` is ours, empty when unknown."""

    partner: str
    kind: str
    number: str
    reported_on: date
    warehouse: str
    lines: tuple[StockLine, ...]
    position: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLine:
    """One line of a Shopify refund; amounts are for all its units, after discounts (shopify-api 3.3)."""

    key: str
    order_line_id: str
    sku: str
    quantity: int
    restock_type: str
    location_id: str | None
    subtotal: Decimal
    tax: Decimal
    requires_shipping: bool = True
    gift_card: bool = False
    restocked: bool = False
    dispositions: tuple[Disposition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """What Shopify's own returns process says became of units of a line: RESTOCKED, NOT_RESTOCKED, MISSING or PROCESSING_REQUIRED."""

    kind: str
    quantity: int
    location_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A movement of money on a refund or an order; `rounding` is what cash rounding adds to `amount` (as in CHF)."""

    kind: str
    status: str
    gateway: str
    amount: Decimal
    rounding: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """The difference between a refund's calculated and real amount; positive is in the merchant's favour."""

    reason: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A Shopify refund in the shop's currency; `shopper` is the same refund in the shopper's, when that is another one (R-116).

    Lines are net of tax whether or not the shop's prices include it.
    """

    refund_id: str
    order_id: str
    order_name: str
    currency: str
    created_at: datetime
    updated_at: datetime
    lines: tuple[RefundLine, ...] = ()
    shipping: Decimal = ZERO
    duties: Decimal = ZERO
    adjustments: tuple[Adjustment, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    return_id: str | None = None
    test: bool = False
    shopper: Refund | None = None

    @property
    def cash(self) -> Decimal:
        """Money that did move: successful transactions of kind REFUND."""
        return sum((t.amount for t in self.transactions if t.kind == "REFUND" and t.status == "SUCCESS"), ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of a Shopify order as placed."""

    order_line_id: str
    sku: str
    quantity: int
    merchandise: Decimal
    tax: Decimal
    loop_discount: Decimal = ZERO
    other_discount: Decimal = ZERO
    shipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A Shopify order."""

    order_id: str
    name: str
    currency: str
    created_at: datetime
    updated_at: datetime
    lines: tuple[OrderLine, ...] = ()
    shipping: Decimal = ZERO
    received: Decimal = ZERO
    total: Decimal = ZERO
    tags: tuple[str, ...] = ()
    discount_codes: tuple[str, ...] = ()
    test: bool = False
    cancelled: bool = False
    shopper_currency: str = ""
    shopper_total: Decimal = ZERO

    @property
    def shipped(self) -> dict[str, int]:
        """Shipped quantity by order line."""
        return {line.order_line_id: line.shipped for line in self.lines}


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """A place of stock. Second-quality warehouses are never sellable and never exported."""

    code: str
    sellable: bool
    second_quality: str | None = None
    loop_destination: str | None = None
    shopify_location: str | None = None
    partner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a merchant wants done (requirements R-026, R-043, R-044, R-100); `version` names the settings it came from."""

    ra_pattern: str = "RA{rma}"
    create_on: str = "created"
    transmit_in_review: bool = False
    kept_outcomes: frozenset[str] = frozenset({"keep", "donate"})
    donate_destinations: frozenset[str] = frozenset()
    send_shopper: bool = False
    expected_days: int = 0
    rules: Rules = field(default_factory=Rules)
    partial_wait_seconds: float = 72 * 3600
    loop_discount: bool = False
    exchange_mode: str = "auto"
    exchange_prefix: str = "EXC"
    store_credit_gateways: frozenset[str] = frozenset({"gift_card", "shopify_store_credit", "store_credit"})
    bonus_credit: Decimal = ZERO
    version: str = ""
    items: dict[str, str] = field(default_factory=dict)
