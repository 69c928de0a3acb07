"""The GraphQL objects of the simulated Shopify: orders, their lines, fulfilments and refunds, as the schema names their fields.

An object is a mapping; a field with arguments or with much behind it is a function that the executor calls when asked for it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.simulator import model, shopify_stock_nodes
from gateway.simulator.model import ZERO, money
from gateway.simulator.shop import order_total
from gateway.simulator.shopify_pages import connection
from gateway.simulator.world import World

Node = dict[str, Any]
FAR_TOO_MANY = 250


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def instant(value: datetime | None) -> str | None:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if value else None


def bag(order: model.Order, amount: Decimal) -> Node:
    """An amount in the shop's and in the shopper's currency."""
    return {
        "shopMoney": _amount(amount, order.currency),
        "presentmentMoney": _amount(money(amount * order.rate), order.presentment_currency),
    }


def order_node(world: World, order: model.Order) -> Node:
    """An order; its amounts are those of the order as placed."""
    refunds = world.refunds_of(order)
    return {
        "__typename": "Order",
        "id": gid("Order", order.id),
        "legacyResourceId": str(order.id),
        "name": order.name,
        "number": order.number,
        "createdAt": instant(order.created_at),
        "processedAt": instant(order.created_at),
        "updatedAt": instant(order.updated_at),
        "cancelledAt": instant(order.cancelled_at),
        "cancelReason": order.cancel_reason,
        "test": order.test,
        "email": order.email,
        "note": order.note,
        "tags": order.tags,
        "sourceName": order.source_name,
        "sourceIdentifier": None,
        "app": {"id": gid("App", 1), "name": order.app_name} if order.app_name else None,
        "customAttributes": _pairs(order.custom_attributes),
        "shippingAddress": order.address or None,
        "refunds": lambda info, first=FAR_TOO_MANY: [refund_node(world, r) for r in refunds[:first]],
        "returns": lambda info, **args: connection(_returns(world, order), lambda r: return_node(world, r), args),
        "lineItems": lambda info, **args: connection(order.lines, lambda line: line_node(world, order, line), args),
        "fulfillments": lambda info, first=FAR_TOO_MANY, query=None: [fulfilment_node(world, order, one) for one in order.fulfilments[:first]],
        "fulfillmentsCount": {"count": len(order.fulfilments), "precision": "EXACT"},
        "shippingLines": lambda info, **args: connection(order.shipping, lambda one: _shipping(order, one), args),
        "transactions": lambda info, first=FAR_TOO_MANY: [transaction_node(order, one) for one in _transactions(order, refunds)[:first]],
        **_discounts(order),
        **_amounts(order, refunds),
        **_statuses(world, order, refunds),
    }


def line_node(world: World, order: model.Order, line: model.OrderLine) -> Node:
    item = line.item
    open_units = max(line.quantity - order.shipped(line.id) - line.released, 0)
    rate = float(world.tax_rate)
    return {
        "__typename": "LineItem",
        "id": gid("LineItem", line.id),
        "sku": item.sku,
        "name": f"{item.title} - {item.variant_title}" if item.variant_title else item.title,
        "variantTitle": item.variant_title,
        "quantity": line.quantity,
        "currentQuantity": line.current_quantity,
        "unfulfilledQuantity": open_units,
        "nonFulfillableQuantity": line.released,
        "requiresShipping": item.requires_shipping,
        "isGiftCard": item.is_gift_card,
        "taxable": line.taxable,
        "customAttributes": _pairs(line.custom_attributes),
        "variant": lambda info: shopify_stock_nodes.variant_node(world, item),
        "originalUnitPriceSet": bag(order, line.price),
        "originalTotalSet": bag(order, line.gross),
        "discountedTotalSet": bag(order, line.gross),
        "discountAllocations": [
            {
                "allocatedAmountSet": bag(order, part.amount),
                "discountApplication": _discount(order, order.discounts[part.discount_index]),
            }
            for part in line.allocations
        ],
        "taxLines": lambda info, first=FAR_TOO_MANY: [{"title": "Sales tax", "rate": rate, "priceSet": bag(order, line.tax)}],
    }


def fulfilment_node(world: World, order: model.Order, one: model.Fulfilment) -> Node:
    return {
        "__typename": "Fulfillment",
        "id": gid("Fulfillment", one.id),
        "legacyResourceId": str(one.id),
        "status": one.status,
        "createdAt": instant(one.created_at),
        "location": lambda info: shopify_stock_nodes.location_node(world, one.location_id),
        "fulfillmentLineItems": lambda info, **args: connection(one.lines, lambda part: fulfilment_line_node(world, order, part), args),
    }


def fulfilment_line_node(world: World, order: model.Order, part: model.FulfilmentLine) -> Node:
    line = next(line for line in order.lines if line.id == part.line_id)
    return {
        "id": gid("FulfillmentLineItem", part.id),
        "quantity": part.quantity,
        "lineItem": lambda info: line_node(world, order, line),
    }


def refund_node(world: World, refund: model.Refund) -> Node:
    """A refund; `totalRefundedSet` is the sum of its successful transactions."""
    order = world.orders[refund.order_id]
    return {
        "__typename": "Refund",
        "id": gid("Refund", refund.id),
        "legacyResourceId": str(refund.id),
        "createdAt": instant(refund.created_at),
        "processedAt": instant(refund.processed_at),
        "updatedAt": instant(refund.updated_at),
        "note": refund.note,
        "order": lambda info: order_node(world, order),
        "return": lambda info: _maybe(world, refund.return_id),
        "totalRefundedSet": bag(order, refund.paid),
        "refundLineItems": lambda info, **args: connection(refund.lines, lambda part: _refund_line(world, order, part), args),
        "refundShippingLines": lambda info, **args: connection(refund.shipping, lambda part: _refund_shipping(order, part), args),
        "orderAdjustments": lambda info, **args: connection(refund.adjustments, lambda part: _adjustment(order, part), args),
        "duties": [{"amountSet": bag(order, amount), "originalDuty": {"id": gid("Duty", number)}} for number, amount in refund.duties],
        "transactions": lambda info, **args: connection(refund.transactions, lambda part: transaction_node(order, part), args),
    }


def transaction_node(order: model.Order, one: model.Transaction) -> Node:
    parent = next((other for other in order.transactions if other.id == one.parent_id), None)
    return {
        "id": gid("OrderTransaction", one.id),
        "kind": one.kind,
        "status": one.status,
        "gateway": one.gateway,
        "formattedGateway": one.gateway.replace("_", " ").capitalize(),
        "createdAt": instant(one.created_at),
        "processedAt": instant(one.created_at),
        "test": one.test,
        "errorCode": one.error_code,
        "amountSet": bag(order, one.amount),
        "amountRoundingSet": bag(order, one.rounding) if one.rounding is not None else None,
        "parentTransaction": transaction_node(order, parent) if parent else None,
    }


def return_node(world: World, found: model.NativeReturn) -> Node:
    """A return of Shopify's own returns process, with the dispositions of its goods."""
    order = world.orders[found.order_id]
    refunds = [refund for refund in world.refunds.values() if refund.return_id == found.id]
    new = [line for line in order.lines if line.id in found.exchange_line_ids]
    fee = found.shipping_fee
    return {
        "__typename": "Return",
        "id": gid("Return", found.id),
        "name": found.name,
        "status": found.status,
        "createdAt": instant(found.created_at),
        "closedAt": instant(found.closed_at),
        "totalQuantity": sum(line.quantity for line in found.lines),
        "order": lambda info: order_node(world, order),
        "returnLineItems": lambda info, **args: connection(found.lines, lambda line: _return_line(world, order, line), args),
        "returnShippingFees": [{"id": gid("ReturnShippingFee", found.id), "amountSet": bag(order, fee)}] if fee else [],
        "exchangeLineItems": lambda info, **args: connection(new, lambda line: _exchange_line(world, order, line), args),
        "reverseFulfillmentOrders": lambda info, **args: connection([found], lambda one: _reverse_order(world, order, one), args),
        "refunds": lambda info, **args: connection(refunds, lambda one: refund_node(world, one), args),
    }


def _amount(amount: Decimal, currency: str) -> Node:
    return {"__typename": "MoneyV2", "amount": f"{amount:.2f}", "currencyCode": currency}


def _pairs(values: Mapping[str, str]) -> list[Node]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _returns(world: World, order: model.Order) -> list[model.NativeReturn]:
    return [one for one in world.native_returns.values() if one.order_id == order.id]


def _transactions(order: model.Order, refunds: list[model.Refund]) -> list[model.Transaction]:
    return order.transactions + [one for refund in refunds for one in refund.transactions]


def _shipping(order: model.Order, one: model.ShippingLine) -> Node:
    taxes = [{"title": "Sales tax", "rate": None, "priceSet": bag(order, one.tax)}] if one.tax else []
    return {
        "id": gid("ShippingLine", one.id),
        "title": one.title,
        "code": one.code,
        "isRemoved": False,
        "originalPriceSet": bag(order, one.price),
        "discountedPriceSet": bag(order, one.price),
        "taxLines": taxes,
    }


def _discounts(order: model.Order) -> Node:
    return {
        "discountCodes": [one.title for one in order.discounts if one.kind == "code"],
        "discountApplications": lambda info, **args: connection(order.discounts, lambda one: _discount(order, one), args),
    }


_KINDS = {
    "code": ("DiscountCodeApplication", "code"),
    "manual": ("ManualDiscountApplication", "title"),
    "automatic": ("AutomaticDiscountApplication", "title"),
    "script": ("ScriptDiscountApplication", "title"),
}


def _discount(order: model.Order, one: model.Discount) -> Node:
    kind, name = _KINDS[one.kind]
    value = {"__typename": "PricingPercentageValue", "percentage": one.percentage}
    if one.amount is not None:
        value = _amount(one.amount, order.currency)
    return {
        "__typename": kind,
        "index": one.index,
        "allocationMethod": "ACROSS",
        "targetSelection": "ALL",
        "targetType": "LINE_ITEM",
        "value": value,
        "description": None,
        name: one.title,
    }


def _amounts(order: model.Order, refunds: list[model.Refund]) -> Node:
    discounts = sum((line.discount for line in order.lines), ZERO)
    subtotal = sum((line.gross for line in order.lines), ZERO) - discounts
    taxes = sum((line.tax for line in order.lines), ZERO) + sum((one.tax for one in order.shipping), ZERO)
    received = sum((one.amount for one in order.transactions if one.status == "SUCCESS"), ZERO)
    adjusted = sum((part.amount + part.tax for refund in refunds for part in refund.adjustments), ZERO)
    amounts = {
        "subtotalPriceSet": subtotal,
        "totalDiscountsSet": discounts,
        "totalTaxSet": taxes,
        "totalShippingPriceSet": sum((one.price for one in order.shipping), ZERO),
        "totalPriceSet": order_total(order),
        "totalReceivedSet": received,
        "totalOutstandingSet": order_total(order) - received,
        "totalRefundedSet": sum((refund.paid for refund in refunds), ZERO),
        "refundDiscrepancySet": adjusted,
    }
    rows = [{"title": "Sales tax", "rate": None, "priceSet": bag(order, taxes)}] if taxes else []
    codes = {"currencyCode": order.currency, "presentmentCurrencyCode": order.presentment_currency}
    flags = {"taxesIncluded": order.taxes_included, "taxExempt": False, "fullyPaid": received >= order_total(order)}
    return {**{name: bag(order, value) for name, value in amounts.items()}, **codes, **flags, "taxLines": rows}


def _statuses(world: World, order: model.Order, refunds: list[model.Refund]) -> Node:
    return {
        "displayFinancialStatus": financial_status(order, refunds),
        "displayFulfillmentStatus": _fulfilment_status(order),
        "returnStatus": return_status(world, order),
        "paymentGatewayNames": list(dict.fromkeys(one.gateway for one in order.transactions)),
    }


def return_status(world: World, order: model.Order) -> str:
    """What Shopify's own returns process says of an order; Loop's returns do not touch it."""
    found = _returns(world, order)
    if not found:
        return "NO_RETURN"
    return "RETURNED" if all(one.status == "CLOSED" for one in found) else "IN_PROGRESS"


def financial_status(order: model.Order, refunds: list[model.Refund]) -> str:
    """What the order's money came to, in Shopify's word."""
    received = sum((one.amount for one in order.transactions if one.status == "SUCCESS"), ZERO)
    back = sum((refund.paid for refund in refunds), ZERO)
    if back:
        return "REFUNDED" if back >= received else "PARTIALLY_REFUNDED"
    if received >= order_total(order):
        return "PAID"
    return "PARTIALLY_PAID" if received else "PENDING"


def _fulfilment_status(order: model.Order) -> str:
    shipped = sum(order.shipped(line.id) for line in order.lines)
    if not shipped:
        return "UNFULFILLED"
    wanted = sum(line.quantity - line.released for line in order.lines)
    return "FULFILLED" if shipped >= wanted else "PARTIALLY_FULFILLED"


def _refund_line(world: World, order: model.Order, part: model.RefundLine) -> Node:
    line = next(line for line in order.lines if line.id == part.line_id)
    place = part.location_id
    return {
        "id": gid("RefundLineItem", part.id),
        "quantity": part.quantity,
        "restockType": part.restock_type,
        "restocked": part.restocked,
        "location": lambda info: shopify_stock_nodes.location_node(world, place),
        "priceSet": bag(order, line.price),
        "subtotalSet": bag(order, part.subtotal),
        "totalTaxSet": bag(order, part.tax),
        "lineItem": lambda info: line_node(world, order, line),
    }


def _refund_shipping(order: model.Order, part: model.RefundShipping) -> Node:
    line = next((one for one in order.shipping if one.id == part.shipping_line_id), None)
    line = line or model.ShippingLine(part.shipping_line_id, "Shipping", part.subtotal)
    return {
        "id": gid("RefundShippingLine", part.id),
        "subtotalAmountSet": bag(order, part.subtotal),
        "taxAmountSet": bag(order, part.tax),
        "shippingLine": _shipping(order, line),
    }


def _adjustment(order: model.Order, part: model.Adjustment) -> Node:
    amounts = {"amountSet": bag(order, part.amount), "taxAmountSet": bag(order, part.tax)}
    return {"id": gid("OrderAdjustment", part.id), "reason": part.reason, **amounts}


def _maybe(world: World, return_id: int | None) -> Node | None:
    found = world.native_returns.get(return_id) if return_id is not None else None
    return return_node(world, found) if found else None


def _part(order: model.Order, number: int) -> model.FulfilmentLine:
    return next(part for one in order.fulfilments for part in one.lines if part.id == number)


def _return_line(world: World, order: model.Order, line: model.NativeReturnLine) -> Node:
    done = sum(goods.quantity for goods in line.dispositions if goods.type != "PROCESSING_REQUIRED")
    fee = None
    if line.fee is not None:
        share, amount = line.fee
        fee = {"id": gid("RestockingFee", line.id), "percentage": share, "amountSet": bag(order, amount)}
    return {
        "__typename": "ReturnLineItem",
        "id": gid("ReturnLineItem", line.id),
        "quantity": line.quantity,
        "processedQuantity": done,
        "unprocessedQuantity": line.quantity - done,
        "refundedQuantity": 0,
        "returnReasonNote": line.note,
        "customerNote": None,
        "returnReasonDefinition": {"handle": line.reason.lower(), "name": line.reason.capitalize()},
        "fulfillmentLineItem": lambda info: fulfilment_line_node(world, order, _part(order, line.fulfilment_line_id)),
        "restockingFee": fee,
    }


def _exchange_line(world: World, order: model.Order, line: model.OrderLine) -> Node:
    return {
        "id": gid("ExchangeLineItem", line.id),
        "quantity": line.quantity,
        "processedQuantity": line.quantity,
        "variantId": gid("ProductVariant", line.item.variant_id),
        "lineItems": lambda info: [line_node(world, order, line)],
    }


def _reverse_order(world: World, order: model.Order, found: model.NativeReturn) -> Node:
    def make(line: model.NativeReturnLine) -> Node:
        return {
            "id": gid("ReverseFulfillmentOrderLineItem", line.id),
            "totalQuantity": line.quantity,
            "fulfillmentLineItem": fulfilment_line_node(world, order, _part(order, line.fulfilment_line_id)),
            "dispositions": [_disposition(world, goods) for goods in line.dispositions],
        }

    rows: Callable[..., object] = lambda info, **args: connection(found.lines, make, args)  # noqa: E731  # a field with arguments
    status = "CLOSED" if found.status == "CLOSED" else "OPEN"
    return {"id": gid("ReverseFulfillmentOrder", found.id), "status": status, "lineItems": rows}


def _disposition(world: World, goods: model.Disposition) -> Node:
    return {
        "id": gid("ReverseFulfillmentOrderDisposition", goods.id),
        "type": goods.type,
        "quantity": goods.quantity,
        "createdAt": instant(goods.created_at),
        "location": lambda info: shopify_stock_nodes.location_node(world, goods.location_id),
    }
