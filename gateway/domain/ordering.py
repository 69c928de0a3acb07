"""How an exchange order is booked: full merchandise value, offset by the return credit it used (requirements R-013, R-014, R-121, R-122).

With the merchant's Loop discount OFF the value covered by the return credit is offset by a miscellaneous charge; ON, Shopify shows the
`loop-discount` code, which becomes the discount, and tax left uncovered and unpaid becomes a charge labelled *tax covered by return credit*.
What the shopper paid on top (upsell) is collected; what neither credit nor payment covers stays open as A/R, normally exactly 0.00.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from gateway.domain import money
from gateway.domain.documents import ZERO, Order, Policy, Return

TAX_COVERED = "tax covered by return credit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeOrder:
    """The booked order: merchandise + tax + shipping + misc_charge + discount − collected = ar."""

    order_id: str
    name: str
    rma: str
    original_order: str
    currency: str
    merchandise: Decimal
    tax: Decimal
    shipping: Decimal
    misc_charge: Decimal
    misc_label: str
    discount: Decimal
    collected: Decimal
    shopper_currency: str = ""
    shopper_total: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Goods, tax and shipping before any offset."""
        return self.merchandise + self.tax + self.shipping

    @property
    def offset(self) -> Decimal:
        """The return credit used: discount and miscellaneous charge together, as a positive amount."""
        return -(self.misc_charge + self.discount)

    @property
    def ar(self) -> Decimal:
        """What is left to collect."""
        return self.total + self.misc_charge + self.discount - self.collected


def book(order: Order, *, rma: Return, credit_used: Decimal = ZERO) -> ExchangeOrder:
    """Book an exchange order that belongs to `rma`; `credit_used` is what its other exchange orders took of the return credit."""
    merchandise = money.total(line.merchandise - line.other_discount for line in order.lines)
    tax = money.total(line.tax for line in order.lines)
    discount = money.total(line.loop_discount for line in order.lines)
    total = merchandise + tax + order.shipping
    credit = max(rma.exchange_credit - credit_used, ZERO)
    charge = min(max(credit - discount, ZERO), total - discount)
    return ExchangeOrder(
        order_id=order.order_id,
        name=order.name,
        rma=rma.rma,
        original_order=rma.order_name,
        currency=order.currency,
        merchandise=merchandise,
        tax=tax,
        shipping=order.shipping,
        misc_charge=-charge,
        misc_label="" if not charge else (TAX_COVERED if discount else "return credit"),
        discount=-discount,
        collected=collected(order, total=total, discount=discount, charge=charge),
        shopper_currency=order.shopper_currency,
        shopper_total=order.shopper_total,
    )


def collected(order: Order, *, total: Decimal, discount: Decimal, charge: Decimal) -> Decimal:
    """What the shopper paid: what Shopify received; with the discount OFF Loop enters the return credit there too, as a payment."""
    received = order.received if discount else max(order.received - charge, ZERO)
    return min(received, total - discount - charge)


def matching_rule(order: Order, *, policy: Policy, linked: bool) -> str:
    """By which sign an order is taken for a Loop exchange order; empty when by none (shopify-api section 5, decision list)."""
    if linked:
        return "Loop names it as the return's exchange order"
    if order.name.lstrip("#").upper().startswith(policy.exchange_prefix.upper()):
        return f"its name starts with {policy.exchange_prefix}"
    if any(code.lower() == "loop-discount" for code in order.discount_codes):
        return "it carries the discount code loop-discount"
    return ""


def kept_inside(rma: Return) -> bool:
    """Whether the exchange was added to the original order (native exchange), so that no separate order will come."""
    return any(e.order_id and e.order_id == rma.order_id for e in rma.exchanges) or any(
        e.order_name and e.order_name == rma.order_name for e in rma.exchanges
    )
