"""What the imports from Shopify share: where they left off, and orders by name."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.clients.shopify import TouchedOrder
from gateway.jobs.context import Context
from gateway.store import database, events


def since(ctx: Context, position: str, overlap: float) -> datetime:
    """From when to read: the stored position less an overlap in seconds, or the first day of import."""
    with database.reading(ctx.engine) as connection:
        stored = events.position(connection, position)
    return database.moment(stored) - timedelta(seconds=overlap) if stored else ctx.import_from


def orders_named(ctx: Context, order: str) -> list[TouchedOrder]:
    """The orders that a name (with or without `#`) or an id means."""
    plain = order.lstrip("#")
    found = [o for o in ctx.shopify.find_orders(f"name:'{plain}'") if o.name.lstrip("#") == plain or o.order_id == plain]
    if not found and plain.isdigit():
        found = [o for o in ctx.shopify.find_orders(f"id:{plain}") if o.order_id == plain]
    return found
