"""The things of the simulated shop: items, locations and stock, orders with lines, fulfilments, transactions, and refunds.

Money is Decimal in shop currency; times are UTC at whole seconds, as Shopify prints them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ZERO = Decimal("0.00")


def money(value: Decimal | str | int | float) -> Decimal:
    """A value as an amount with two places."""
    return Decimal(str(value)).quantize(CENT, ROUND_HALF_UP)


@dataclass
class Item:
    """One product variant with its inventory item."""

    sku: str
    upc: str
    price: Decimal
    title: str
    variant_title: str | None
    product_id: int
    variant_id: int
    inventory_item_id: int
    tracked: bool = True
    mutable: bool = True
    requires_shipping: bool = True
    is_gift_card: bool = False
    duplicates: int = 0


@dataclass
class Location:
    """A place where Shopify keeps stock."""

    id: int
    name: str
    is_active: bool = True
    address: dict[str, str | None] = field(default_factory=dict)


@dataclass
class Level:
    """Stock of one item at one location by quantity name; on_hand is what is in the building."""

    quantities: dict[str, int]
    updated_at: datetime
    is_active: bool = True

    IN_BUILDING = ("available", "committed", "reserved", "damaged", "safety_stock", "quality_control")

    def read(self, name: str) -> int:
        if name == "on_hand":
            return sum(self.quantities.get(part, 0) for part in self.IN_BUILDING)
        return self.quantities.get(name, 0)

    def add(self, name: str, delta: int, at: datetime) -> None:
        part = "available" if name == "on_hand" else name
        self.quantities[part] = self.quantities.get(part, 0) + delta
        self.updated_at = at


@dataclass
class Discount:
    """A discount application of an order; `amount` or `percentage`."""

    index: int
    kind: str
    title: str
    amount: Decimal | None = None
    percentage: float | None = None


@dataclass
class Allocation:
    """The part of a discount that fell on one line."""

    discount_index: int
    amount: Decimal


@dataclass
class OrderLine:
    """A line of an order as placed; `tax` is for all its units."""

    id: int
    item: Item
    quantity: int
    price: Decimal
    tax: Decimal
    allocations: list[Allocation] = field(default_factory=list)
    current_quantity: int = 0
    released: int = 0
    committed_at: int | None = None
    taxable: bool = True
    custom_attributes: dict[str, str] = field(default_factory=dict)

    @property
    def gross(self) -> Decimal:
        return money(self.price * self.quantity)

    @property
    def discount(self) -> Decimal:
        return sum((part.amount for part in self.allocations), ZERO)


@dataclass
class FulfilmentLine:
    id: int
    line_id: int
    quantity: int


@dataclass
class Fulfilment:
    """A shipment of an order."""

    id: int
    created_at: datetime
    location_id: int
    lines: list[FulfilmentLine]
    status: str = "SUCCESS"


@dataclass
class ShippingLine:
    id: int
    title: str
    price: Decimal
    tax: Decimal = ZERO
    code: str = "standard"


@dataclass
class Transaction:
    """Money asked for or moved, on an order or on a refund."""

    id: int
    kind: str
    status: str
    gateway: str
    amount: Decimal
    created_at: datetime
    parent_id: int | None = None
    error_code: str | None = None
    rounding: Decimal | None = None
    test: bool = False


@dataclass
class RefundLine:
    id: int
    line_id: int
    quantity: int
    restock_type: str
    location_id: int | None
    subtotal: Decimal
    tax: Decimal

    @property
    def restocked(self) -> bool:
        return self.restock_type in ("RETURN", "CANCEL", "LEGACY_RESTOCK")


@dataclass
class RefundShipping:
    id: int
    shipping_line_id: int
    subtotal: Decimal
    tax: Decimal


@dataclass
class Adjustment:
    """Difference between calculated and real refund; positive in the merchant's favour."""

    id: int
    reason: str | None
    amount: Decimal
    tax: Decimal = ZERO


@dataclass
class Refund:
    """A refund of an order; goods without money when the value went elsewhere."""

    id: int
    order_id: int
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    note: str | None = None
    lines: list[RefundLine] = field(default_factory=list)
    shipping: list[RefundShipping] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    duties: list[tuple[int, Decimal]] = field(default_factory=list)
    return_id: int | None = None

    @property
    def goods(self) -> Decimal:
        return sum((line.subtotal + line.tax for line in self.lines), ZERO)

    @property
    def paid(self) -> Decimal:
        return sum((t.amount for t in self.transactions if t.kind == "REFUND" and t.status == "SUCCESS"), ZERO)


@dataclass
class Order:
    id: int
    name: str
    number: int
    created_at: datetime
    updated_at: datetime
    lines: list[OrderLine]
    fulfilments: list[Fulfilment] = field(default_factory=list)
    shipping: list[ShippingLine] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    discounts: list[Discount] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    custom_attributes: dict[str, str] = field(default_factory=dict)
    note: str | None = None
    email: str | None = None
    source_name: str | None = "web"
    app_name: str | None = "Online Store"
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    test: bool = False
    currency: str = "USD"
    presentment_currency: str = "USD"
    rate: Decimal = Decimal(1)
    taxes_included: bool = False
    address: dict[str, str | None] = field(default_factory=dict)

    def shipped(self, line_id: int) -> int:
        """Units of a line that left in successful shipments."""
        lines = (part for f in self.fulfilments if f.status == "SUCCESS" for part in f.lines)
        return sum(part.quantity for part in lines if part.line_id == line_id)


@dataclass
class Disposition:
    id: int
    type: str
    quantity: int
    created_at: datetime
    location_id: int | None


@dataclass
class NativeReturnLine:
    """A line of Shopify's own return with what became of the goods."""

    id: int
    fulfilment_line_id: int
    quantity: int
    dispositions: list[Disposition] = field(default_factory=list)
    reason: str = "OTHER"
    note: str = ""
    fee: tuple[float, Decimal] | None = None


@dataclass
class NativeReturn:
    """A return in Shopify's own returns process."""

    id: int
    order_id: int
    name: str
    created_at: datetime
    lines: list[NativeReturnLine]
    status: str = "OPEN"
    closed_at: datetime | None = None
    shipping_fee: Decimal | None = None
    exchange_line_ids: list[int] = field(default_factory=list)
