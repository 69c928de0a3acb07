"""How Loop prints a return: in the list (ids as strings, ISO times), in the details (numbers, zone-less times) and in the ASN report.

Source: https://docs.loopreturns.com/api-reference/latest/return-data/detailed-returns-list ,
https://docs.loopreturns.com/api-reference/latest/return-data/get-return-details ,
https://docs.loopreturns.com/api-reference/latest/return-data/advanced-shipping-notice
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from gateway.simulator import loop_model, model
from gateway.simulator.model import ZERO
from gateway.simulator.returns import Returns

LOOP_ORDER_BASE = 91_000_000


def in_list(world: Returns, ret: loop_model.LoopReturn) -> dict[str, object]:
    """One entry of the detailed returns list."""
    order = world.orders[ret.order_id]
    first = ret.labels[0] if ret.labels else None
    return {
        "id": str(ret.id),
        "state": ret.state,
        "type": "standard",
        "created_at": iso(ret.created_at),
        "updated_at": iso(ret.updated_at),
        "edited_at": iso(ret.edited_at),
        "outcome": ret.outcome,
        "order_id": str(_loop_order(order)),
        "order_name": order.name,
        "order_number": str(order.number),
        "provider_order_id": str(order.id),
        "provider_order_number": str(order.number),
        "customer": order.email,
        "origin_country": "United States",
        "origin_country_code": order.address.get("countryCodeV2") or "US",
        "multi_currency": ret.multi_currency,
        "currency": order.currency,
        **_totals(world, ret),
        "line_items": [_line(ret, unit) for unit in ret.units],
        "exchanges": [_exchange(ret, new) for new in ret.exchanges],
        "carrier": first.carrier if first else "",
        "tracking_number": first.tracking_number if first else "N/A",
        "label_status": first.status if first else "N/A",
        "label_updated_at": iso(first.updated_at) if first else "N/A",
        "label_url": f"https://labels.example.com/{ret.id}.pdf" if first else None,
        "label_rate": text(first.rate) if first else "0.00",
        "labels": [_label(ret, label) for label in ret.labels],
        "status_page_url": f"https://harbor-and-pine.loopreturns.com/#/return/{ret.id}",
        "destination_id": str(ret.destination_id) if ret.destination_id is not None else None,
        "return_method": ret.return_method,
        "package_reference": ret.package_reference,
        "was_processed": ret.was_processed,
    }


def in_details(world: Returns, ret: loop_model.LoopReturn) -> dict[str, object]:
    """The single return of the details call."""
    order = world.orders[ret.order_id]
    entry = in_list(world, ret)
    entry |= {
        "id": ret.id,
        "created_at": plain(ret.created_at),
        "updated_at": plain(ret.updated_at),
        "edited_at": plain(ret.edited_at),
        "order_id": _loop_order(order),
        "order_number": order.number,
        "provider_order_id": order.id,
        "provider_order_number": order.number,
        "destination_id": ret.destination_id,
        "exchange": text(ret.exchange_total),
        "exchange_order_name": ret.exchange_order_name,
        "exchange_order_id": ret.exchange_order_id,
        "refunds": _refunds(world, ret),
        "line_items": [_detail_line(ret, unit) for unit in ret.units],
    }
    return entry


def in_report(world: Returns, ret: loop_model.LoopReturn) -> Iterable[dict[str, object]]:
    """The rows of the ASN report: one per returned unit."""
    order = world.orders[ret.order_id]
    for unit in ret.units:
        label = next((one for one in ret.labels if unit.line_item_id in one.line_item_ids), None)
        yield {
            "id": ret.id,
            "return_line_item_id": str(unit.line_item_id),
            "order_id": str(_loop_order(order)),
            "order_name": order.name,
            "state": ret.state,
            "customer_email": order.email,
            "title": unit.item.title,
            "sku": unit.item.sku,
            "barcode": unit.item.upc,
            "purchase_price": text(unit.price),
            "currency": order.currency,
            "carrier": label.carrier if label else "",
            "tracking_number": label.tracking_number if label else "N/A",
            "label_status": label.status if label else "N/A",
            "restock_status": "pending" if ret.state == "open" else "done",
            "outcome": ret.outcome,
            "created_at": iso(ret.created_at),
            "updated_at": iso(ret.updated_at),
            "closed_at": iso(ret.closed_at),
        }


def iso(value: datetime | None) -> str | None:
    return f"{value:%Y-%m-%dT%H:%M:%S}.000Z" if value else None


def plain(value: datetime | None) -> str | None:
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else None


def text(value: Decimal) -> str:
    return f"{value:.2f}"


def _loop_order(order: model.Order) -> int:
    return LOOP_ORDER_BASE + order.id % 1_000_000


def _totals(world: Returns, ret: loop_model.LoopReturn) -> dict[str, str | int | None]:
    goods = sum((unit.price for unit in ret.units), ZERO)
    new = ret.exchanges
    amounts = {
        "total": ret.value,
        "return_product_total": goods,
        "return_discount_total": sum((unit.discount for unit in ret.units), ZERO),
        "return_tax_total": sum((unit.tax for unit in ret.units), ZERO),
        "return_total": ret.value,
        "return_credit_total": ret.exchange_credit + ret.gift_card,
        "exchange_product_total": sum((one.price for one in new), ZERO),
        "exchange_discount_total": sum((one.discount for one in new), ZERO),
        "exchange_tax_total": sum((one.tax for one in new), ZERO),
        "exchange_total": ret.exchange_total,
        "exchange_credit_total": ret.exchange_credit,
        "gift_card": ret.gift_card,
        "handling_fee": ret.handling_fee,
        "refund": ret.refund,
        "upsell": ret.upsell,
    }
    return {**{name: text(value) for name, value in amounts.items()}, "gift_card_order_name": None, "gift_card_order_id": None}


def _line(ret: loop_model.LoopReturn, unit: loop_model.Unit) -> dict[str, object]:
    item = unit.item
    return {
        "line_item_id": str(unit.line_item_id),
        "provider_line_item_id": str(unit.order_line_id),
        "product_id": str(item.product_id),
        "variant_id": str(item.variant_id),
        "sku": item.sku,
        "barcode": item.upc,
        "title": f"{item.title} - {item.variant_title}" if item.variant_title else item.title,
        "price": text(unit.price),
        "discount": text(unit.discount),
        "tax": text(unit.tax),
        "refund": text(unit.value),
        "refund_item": text(unit.net),
        "refund_tax": text(unit.tax),
        "returned_at": iso(unit.returned_at),
        "exchange_variant": unit.exchange_variant,
        "return_reason": unit.reason,
        "parent_return_reason": unit.parent_reason,
        "return_comment": unit.comment,
        "outcome": unit.outcome,
        "provider_restock_location_id": None,
        "consolidation_tracking": None,
        "consolidation_destination_id": str(unit.destination_id) if unit.destination_id is not None else None,
        "condition": unit.condition,
        "disposition": unit.disposition,
    }


def _detail_line(ret: loop_model.LoopReturn, unit: loop_model.Unit) -> dict[str, object]:
    numbers = {
        "line_item_id": unit.line_item_id,
        "provider_line_item_id": unit.order_line_id,
        "product_id": unit.item.product_id,
        "variant_id": unit.item.variant_id,
        "consolidation_destination_id": unit.destination_id,
    }
    names = {"line_item_title": unit.item.title, "variant_title": unit.item.variant_title, "image": None}
    return {**_line(ret, unit), **numbers, **names, "title": unit.item.title}


def _exchange(ret: loop_model.LoopReturn, new: loop_model.ExchangeItem) -> dict[str, object]:
    return {
        "exchange_id": str(new.exchange_id),
        "exchange_order_id": str(ret.exchange_order_id) if ret.exchange_order_id is not None else None,
        "exchange_order_name": ret.exchange_order_name,
        "product_id": str(new.item.product_id),
        "variant_id": str(new.item.variant_id),
        "sku": new.item.sku,
        "type": "exchange",
        "title": f"{new.item.title} - {new.item.variant_title}" if new.item.variant_title else new.item.title,
        "price": text(new.price),
        "discount": text(new.discount),
        "tax": text(new.tax),
        "total": text(new.total),
        "out_of_stock": new.out_of_stock,
        "out_of_stock_resolution": new.resolution,
    }


def _label(ret: loop_model.LoopReturn, label: loop_model.Label) -> dict[str, object]:
    return {
        "status": label.status,
        "updated_at": iso(label.updated_at),
        "url": f"https://labels.example.com/{ret.id}-{label.tracking_number}.pdf",
        "rate": text(label.rate),
        "carrier": label.carrier,
        "tracking_number": label.tracking_number,
        "line_items": [str(number) for number in label.line_item_ids],
    }


def _refunds(world: Returns, ret: loop_model.LoopReturn) -> list[dict[str, object]]:
    order = world.orders[ret.order_id]
    rows: list[dict[str, object]] = []
    for number in ret.refund_ids:
        paid = [(t.gateway, t.amount) for t in world.refunds[number].transactions] or [("manual", ZERO)]
        rows += [{"gateway": name, "amount": text(amount), "currency": order.currency, "provider_refund_id": str(number)} for name, amount in paid]
    return rows
