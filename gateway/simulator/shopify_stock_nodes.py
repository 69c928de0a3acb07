"""The GraphQL objects of the simulated Shopify that concern stock: locations, variants, inventory items and levels."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.simulator import model
from gateway.simulator.shopify_pages import connection, search
from gateway.simulator.world import World

Node = dict[str, Any]


def location_node(world: World, number: int | None) -> Node | None:
    found = world.locations.get(number) if number is not None else None
    if found is None:
        return None
    address = {name: found.address.get(name) for name in ("address1", "city", "provinceCode", "zip", "countryCode")}
    return {
        "__typename": "Location",
        "id": f"gid://shopify/Location/{found.id}",
        "legacyResourceId": str(found.id),
        "name": found.name,
        "isActive": found.is_active,
        "fulfillsOnlineOrders": True,
        "shipsInventory": True,
        "isFulfillmentService": False,
        "address": address,
        "inventoryLevels": lambda info, **args: _levels_at(world, found, args),
    }


def variant_node(world: World, item: model.Item) -> Node:
    total = sum(world.available(item.sku, place) for place in world.locations)
    return {
        "__typename": "ProductVariant",
        "id": f"gid://shopify/ProductVariant/{item.variant_id}",
        "sku": item.sku,
        "barcode": item.upc,
        "title": item.variant_title or "Default Title",
        "displayName": f"{item.title} - {item.variant_title or 'Default Title'}",
        "price": f"{item.price:.2f}",
        "inventoryQuantity": total,
        "inventoryItem": lambda info: item_node(world, item),
        "product": {"id": f"gid://shopify/Product/{item.product_id}", "title": item.title, "status": "ACTIVE"},
    }


def item_node(world: World, item: model.Item) -> Node:

    def level(info: object, locationId: str, includeInactive: bool = False) -> Node | None:
        return level_node(world, item, _number(locationId), includeInactive)

    return {
        "__typename": "InventoryItem",
        "id": f"gid://shopify/InventoryItem/{item.inventory_item_id}",
        "legacyResourceId": str(item.inventory_item_id),
        "sku": item.sku,
        "tracked": item.tracked,
        "requiresShipping": item.requires_shipping,
        "duplicateSkuCount": item.duplicates,
        "inventoryLevel": level,
        "inventoryLevels": lambda info, **args: _levels_of(world, item, args),
        "variants": lambda info, **args: connection([item], lambda one: variant_node(world, one), args),
    }


def level_node(world: World, item: model.Item, place: int, inactive: bool = False) -> Node | None:
    """The level of an item at a location, or nothing when there is none."""
    found = world.levels.get((item.inventory_item_id, place))
    if found is None or place not in world.locations or not (found.is_active or inactive):
        return None
    return {
        "__typename": "InventoryLevel",
        "id": f"gid://shopify/InventoryLevel/{place}?inventory_item_id={item.inventory_item_id}",
        "isActive": found.is_active,
        "updatedAt": _instant(found.updated_at),
        "item": lambda info: item_node(world, item),
        "location": lambda info: location_node(world, place),
        "quantities": lambda info, names: [{"name": name, "quantity": found.read(name), "updatedAt": _instant(found.updated_at)} for name in names],
    }


def find_item(world: World, node_id: object) -> model.Item | None:
    """The item behind an InventoryItem or ProductVariant id."""
    number = _number(str(node_id))
    return next((one for one in world.items.values() if number in (one.inventory_item_id, one.variant_id)), None)


def _levels_at(world: World, place: model.Location, args: Mapping[str, object]) -> Node:
    items = {one.inventory_item_id: one for one in world.items.values()}
    rows = [items[number] for number, where in world.levels if where == place.id]
    return _levels(world, [(one, place.id) for one in rows], args)


def _levels_of(world: World, item: model.Item, args: Mapping[str, object]) -> Node:
    places = [where for number, where in world.levels if number == item.inventory_item_id]
    return _levels(world, [(item, place) for place in places], args)


def _levels(world: World, pairs: list[tuple[model.Item, int]], args: Mapping[str, object]) -> Node:
    inactive = bool(args.get("includeInactive"))
    rows = [pair for pair in pairs if inactive or world.levels[(pair[0].inventory_item_id, pair[1])].is_active]
    fields = {
        "updated_at": lambda pair: world.levels[(pair[0].inventory_item_id, pair[1])].updated_at,
        "inventory_item_id": lambda pair: pair[0].inventory_item_id,
        "sku": lambda pair: pair[0].sku,
    }
    found = search(rows, args.get("query"), fields)
    return connection(
        found,
        lambda pair: level_node(world, pair[0], pair[1], True),
        args,
        key=lambda pair: (pair[0].inventory_item_id, pair[1]),
    )


def _number(node_id: str) -> int:
    tail = node_id.rsplit("/", 1)[-1].split("?", maxsplit=1)[0]
    return int(tail) if tail.isdigit() else 0


def _instant(value: datetime) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}"
