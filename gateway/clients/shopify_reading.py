"""Shopify's JSON into documents (shopify-api 3.3, 4 and 5).

Amounts are decimal text and are read without cutting anything off. Each stands there in the shop's and in the shopper's currency; both are kept,
apart. Where the shop's prices include tax, lines are made net of it here, so that everything behind reads the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.domain import money
from gateway.domain.documents import ZERO, Adjustment, Disposition, Order, OrderLine, Refund, RefundLine, Transaction

LOOP_DISCOUNT = "loop-discount"
SHIPPING_REASONS = frozenset({"SHIPPING_REFUND"})  # old entries; shipping is counted once, from its own lines (shopify-api 9.4)
SHOP, SHOPPER = "shopMoney", "presentmentMoney"


def number(gid: str) -> str:
    """The number at the end of a global id."""
    return gid.rpartition("/")[2].partition("?")[0]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _amount(bag: dict[str, Any] | None, side: str = SHOP) -> Decimal:
    """An amount in the shop's or in the shopper's currency; the two are never mixed in a sum (R-116)."""
    return money.read(bag[side]["amount"]) if bag else ZERO


def disposition(node: dict[str, Any]) -> Disposition:
    return Disposition(kind=node["type"], quantity=node["quantity"], location_id=number(node["location"]["id"]) if node["location"] else None)


def read_refund(found: dict[str, Any], lines: list[dict[str, Any]], dispositions: dict[str, tuple[Disposition, ...]]) -> Refund:
    """A refund from Shopify's JSON, in the shop's currency and, when it is another one, in the shopper's."""
    order = found["order"]
    ours = _refund(found, lines, side=SHOP, currency=order["currencyCode"])
    ours = replace(ours, lines=tuple(replace(line, dispositions=dispositions.get(line.order_line_id, ())) for line in ours.lines))
    if order["presentmentCurrencyCode"] == order["currencyCode"]:
        return ours
    return replace(ours, shopper=_refund(found, lines, side=SHOPPER, currency=order["presentmentCurrencyCode"]))


def _refund(found: dict[str, Any], lines: list[dict[str, Any]], *, side: str, currency: str) -> Refund:
    order = found["order"]
    refund_id = number(found["id"])

    def amount(bag: dict[str, Any] | None) -> Decimal:
        return _amount(bag, side)

    return Refund(
        refund_id=refund_id,
        order_id=number(order["id"]),
        order_name=order["name"],
        currency=currency,
        created_at=instant(found["processedAt"] or found["createdAt"]),
        updated_at=instant(found["updatedAt"]),
        lines=tuple(_refund_line(line, place, refund_id, side=side, taxes_included=order["taxesIncluded"]) for place, line in enumerate(lines)),
        shipping=money.total(amount(s["subtotalAmountSet"]) + amount(s["taxAmountSet"]) for s in found["refundShippingLines"]["nodes"]),
        duties=money.total(amount(d["amountSet"]) for d in found["duties"] or []),
        adjustments=tuple(
            Adjustment(reason=a["reason"] or "", amount=amount(a["amountSet"]) + amount(a["taxAmountSet"]))
            for a in found["orderAdjustments"]["nodes"]
            if a["reason"] not in SHIPPING_REASONS
        ),
        transactions=tuple(_transaction(t, side) for t in found["transactions"]["nodes"] if not t["test"]),
        return_id=number(found["return"]["id"]) if found["return"] else None,
        test=bool(order["test"]),
    )


def _refund_line(line: dict[str, Any], place: int, refund_id: str, *, side: str, taxes_included: bool) -> RefundLine:
    item = line["lineItem"]
    subtotal, tax = _amount(line["subtotalSet"], side), _amount(line["totalTaxSet"], side)
    return RefundLine(
        key=number(line["id"]) if line["id"] else f"{refund_id}-{number(item['id'])}-{place}",
        order_line_id=number(item["id"]),
        sku=item["sku"] or "",
        quantity=line["quantity"],
        restock_type=line["restockType"],
        location_id=number(line["location"]["id"]) if line["location"] else None,
        subtotal=subtotal - tax if taxes_included else subtotal,
        tax=tax,
        requires_shipping=bool(item["requiresShipping"]),
        gift_card=bool(item["isGiftCard"]),
        restocked=bool(line["restocked"]),
    )


def _transaction(node: dict[str, Any], side: str) -> Transaction:
    amount, rounding = _amount(node["amountSet"], side), _amount(node["amountRoundingSet"], side)
    return Transaction(kind=node["kind"], status=node["status"], gateway=node["gateway"] or "", amount=amount, rounding=rounding)


def read_order(found: dict[str, Any], lines: list[dict[str, Any]], shipped: dict[str, int]) -> Order:
    """An order from Shopify's JSON."""
    shipping = [s for s in found["shippingLines"]["nodes"] if not s["isRemoved"]]
    included = bool(found["taxesIncluded"])
    taxes = ZERO if included else money.total(_amount(t["priceSet"]) for s in shipping for t in s["taxLines"])
    foreign = found["presentmentCurrencyCode"] != found["currencyCode"]
    return Order(
        order_id=number(found["id"]),
        name=found["name"],
        currency=found["currencyCode"],
        created_at=instant(found["createdAt"]),
        updated_at=instant(found["updatedAt"]),
        lines=tuple(_order_line(line, shipped, taxes_included=included) for line in lines),
        shipping=money.total(_amount(s["discountedPriceSet"]) for s in shipping) + taxes,
        received=_amount(found["totalReceivedSet"]),
        total=_amount(found["totalPriceSet"]),
        tags=tuple(found["tags"]),
        discount_codes=tuple(found["discountCodes"]),
        test=bool(found["test"]),
        cancelled=found["cancelledAt"] is not None,
        shopper_currency=found["presentmentCurrencyCode"] if foreign else "",
        shopper_total=_amount(found["totalPriceSet"], SHOPPER) if foreign else ZERO,
    )


def _order_line(line: dict[str, Any], shipped: dict[str, int], *, taxes_included: bool) -> OrderLine:
    key = number(line["id"])
    loop = other = ZERO
    for allocation in line["discountAllocations"]:
        amount = _amount(allocation["allocatedAmountSet"])
        if (allocation["discountApplication"].get("code") or "").lower() == LOOP_DISCOUNT:
            loop += amount
        else:
            other += amount
    tax = money.total(_amount(t["priceSet"]) for t in line["taxLines"])
    return OrderLine(
        order_line_id=key,
        sku=line["sku"] or "",
        quantity=line["quantity"],
        merchandise=_amount(line["originalTotalSet"]) - (tax if taxes_included else ZERO),
        tax=tax,
        loop_discount=loop,
        other_discount=other,
        shipped=shipped.get(key, 0),
    )
