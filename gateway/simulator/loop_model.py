"""The things of the simulated Loop: destinations, and returns whose line items are one per unit.

What a return is worth is computed from its units and exchange items, never stored, so an edit changes it everywhere.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gateway.simulator.model import ZERO, Item


@dataclass
class Destination:
    """Where Loop sends a box: a warehouse or a place for donations."""

    id: int
    name: str
    location_id: int | None
    type: str = "warehouse"
    enabled: bool = True
    address: dict[str, str | None] = field(default_factory=dict)


@dataclass
class Unit:
    """One returned unit: Loop has one line item per unit and no quantities."""

    line_item_id: int
    order_line_id: int
    item: Item
    price: Decimal
    discount: Decimal
    tax: Decimal
    returned_at: datetime
    outcome: str = "default"
    keep: bool = False
    restock: bool = True
    destination_id: int | None = None
    exchange_variant: str = ""
    reason: str = "Changed my mind"
    parent_reason: str = "Didn't like it"
    comment: str = "N/A"
    condition: dict[str, object] | None = None
    disposition: dict[str, object] | None = None

    @property
    def net(self) -> Decimal:
        return self.price - self.discount

    @property
    def value(self) -> Decimal:
        return self.net + self.tax


@dataclass
class ExchangeItem:
    """A new item asked for in exchange; Loop does not tie it to a returned unit."""

    exchange_id: int
    item: Item
    price: Decimal
    discount: Decimal
    tax: Decimal
    out_of_stock: bool = False
    resolution: str | None = None

    @property
    def total(self) -> Decimal:
        return self.price - self.discount + self.tax


@dataclass
class Label:
    carrier: str
    tracking_number: str
    status: str
    updated_at: datetime
    line_item_ids: list[int]
    rate: Decimal = Decimal("7.42")


@dataclass
class Note:
    id: int
    content: str
    created_at: datetime


@dataclass
class Processing:
    """A return waiting in Loop's queue."""

    due_at: datetime
    details: dict[str, str]
    source: str


@dataclass
class LoopReturn:
    """A return in Loop; its id is the RMA number."""

    id: int
    order_id: int
    units: list[Unit]
    created_at: datetime
    updated_at: datetime
    outcome: str = "refund"
    state: str = "open"
    flagged: bool = False
    destination_id: int | None = None
    exchanges: list[ExchangeItem] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    handling_fee: Decimal = ZERO
    bonus_credit: Decimal = ZERO
    gift_card_override: Decimal | None = None
    edited_at: datetime | None = None
    closed_at: datetime | None = None
    processing: Processing | None = None
    was_processed: bool = False
    native_exchange: bool = False
    exchange_order_id: int | None = None
    exchange_order_name: str | None = None
    refund_ids: list[int] = field(default_factory=list)
    gateways: list[tuple[str, Decimal]] = field(default_factory=list)
    two_step: bool = False
    failure: str | None = None
    return_method: dict[str, object] | None = None
    package_reference: str | None = None
    multi_currency: bool = False

    @property
    def value(self) -> Decimal:
        """What the returned goods are worth, tax included."""
        return sum((unit.value for unit in self.units), ZERO)

    @property
    def exchange_total(self) -> Decimal:
        return sum((new.total for new in self.exchanges), ZERO)

    @property
    def credit(self) -> Decimal:
        """What the shopper may spend: the goods and the bonus, less the fee."""
        return max(self.value + self.bonus_credit - self.handling_fee, ZERO)

    @property
    def exchange_credit(self) -> Decimal:
        return min(self.exchange_total, self.credit)

    @property
    def upsell(self) -> Decimal:
        return self.exchange_total - self.exchange_credit

    @property
    def gift_card(self) -> Decimal:
        if self.gift_card_override is not None:
            return self.gift_card_override
        rest = self.credit - self.exchange_credit
        return rest if "credit" in self.outcome.split("+") and "refund" not in self.outcome.split("+") else ZERO

    @property
    def refund(self) -> Decimal:
        return max(self.credit - self.exchange_credit - self.gift_card, ZERO)


@dataclass
class Event:
    """Something Loop would have told by webhook or a person would have seen."""

    at: datetime
    topic: str
    payload: dict[str, object]
