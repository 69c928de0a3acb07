"""Executes GraphQL documents against the simulated shop, with Shopify's errors, scopes and costs.

A document is checked against the schema first; an unknown field is refused with Shopify's words. Then its cost is taken from
the bucket, and only then is it carried out.
Source: https://shopify.dev/docs/api/admin-graphql#status_and_error_codes
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    default_field_resolver,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from gateway.simulator import model, shopify_cost, shopify_inventory, shopify_nodes, shopify_stock_nodes
from gateway.simulator.shopify_pages import connection, search
from gateway.simulator.world import SHOP, World

VERSIONS = {"2026-01": True, "2026-04": True, "2026-07": True, "2026-10": True, "2027-01": False, "unstable": False}
ALL_SCOPES = ["read_orders", "read_all_orders", "read_returns", "read_inventory", "write_inventory", "read_locations", "read_products"]
YOUNG = timedelta(days=60)
ACCESS = {
    ("QueryRoot", "orders"): "read_orders",
    ("QueryRoot", "order"): "read_orders",
    ("QueryRoot", "refund"): "read_orders",
    ("QueryRoot", "fulfillment"): "read_orders",
    ("QueryRoot", "return"): "read_returns",
    ("Order", "returns"): "read_returns",
    ("Refund", "return"): "read_returns",
    ("QueryRoot", "inventoryItem"): "read_inventory",
    ("QueryRoot", "inventoryItems"): "read_inventory",
    ("QueryRoot", "inventoryLevel"): "read_inventory",
    ("Location", "inventoryLevels"): "read_inventory",
    ("QueryRoot", "location"): "read_locations",
    ("QueryRoot", "locations"): "read_locations",
    ("Location", "name"): "read_locations",
    ("Location", "address"): "read_locations",
    ("QueryRoot", "productVariant"): "read_products",
    ("QueryRoot", "productVariants"): "read_products",
    ("Mutation", "inventorySetQuantities"): "write_inventory",
    ("Mutation", "inventoryAdjustQuantities"): "write_inventory",
    ("Mutation", "inventoryMoveQuantities"): "write_inventory",
    ("Mutation", "inventoryActivate"): "write_inventory",
}
_UNKNOWN_FIELD = re.compile(r"Cannot query field '(?P<field>\w+)' on type '(?P<type>\w+)'")


@cache
def read_schema() -> GraphQLSchema:
    """The types and fields that the simulated shop answers."""
    return build_schema(files("gateway.simulator").joinpath("shopify.graphql").read_text("utf-8"))


@dataclass
class Executor:
    """Answers documents over one world; one bucket for all of them."""

    world: World
    bucket: shopify_cost.Bucket = field(default_factory=shopify_cost.Bucket)
    max_cost: int = 1000

    def __post_init__(self) -> None:
        self.schema = read_schema()
        self.inventory = shopify_inventory.Inventory(self.world)
        self._known: dict[str, DocumentNode | list[GraphQLError]] = {}

    def run(self, body: Mapping[str, Any], version: str, scopes: tuple[str, ...]) -> tuple[dict[str, Any], bool]:
        """The answer to a request's body, and whether it changed something."""
        document = self._document(str(body.get("query", "")))
        if isinstance(document, list):
            return {"errors": [_printed(error) for error in document]}, False
        operation = get_operation_ast(document, body.get("operationName"))
        if operation is None:
            return {"errors": [{"message": "An operation name is required"}]}, False
        variables = body.get("variables") or {}
        cost = shopify_cost.requested(document, operation, variables)
        refusal = self._refuse(cost)
        if refusal is not None:
            return refusal, False
        context: dict[str, Any] = {"version": version, "scopes": scopes, "effect": False}
        return self._execute((document, operation), variables, context, cost), context["effect"]

    def _document(self, text: str) -> DocumentNode | list[GraphQLError]:
        """A document, or what is wrong with it; remembered, since clients send the same few."""
        if text not in self._known:
            try:
                document = parse(text)
                self._known[text] = validate(self.schema, document) or document
            except GraphQLError as error:
                return [error]
        return self._known[text]

    def _refuse(self, cost: int) -> dict[str, Any] | None:
        now = self.world.clock.now()
        if cost > self.max_cost:
            message = f"Query cost is {cost}, which exceeds the single query max cost limit ({self.max_cost})."
            return _answer_error(message, {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": self.max_cost})
        if self.bucket.level(now) < cost:
            extensions = {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"}
            return {**_answer_error("Throttled", extensions), **self._extensions(cost, None)}
        return None

    def _execute(
        self,
        parsed: tuple[DocumentNode, OperationDefinitionNode],
        variables: Mapping[str, Any],
        context: dict[str, Any],
        cost: int,
    ) -> dict[str, Any]:
        root = {**_queries(self.world, context["scopes"]), **shopify_inventory.resolvers(self.inventory)}
        result = execute_sync(
            self.schema,
            parsed[0],
            root,
            context_value=context,
            variable_values=dict(variables),
            operation_name=parsed[1].name.value if parsed[1].name else None,
            field_resolver=_resolve,
        )
        spent = shopify_cost.actual(result.data) + (cost and _mutation_cost(parsed[1]))
        self.bucket.take(min(spent, cost))
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [_printed(error) for error in result.errors]
        return {**answer, **self._extensions(cost, min(spent, cost))}

    def _extensions(self, cost: int, spent: int | None) -> dict[str, Any]:
        status = self.bucket.status(self.world.clock.now())
        return {"extensions": {"cost": {"requestedQueryCost": cost, "actualQueryCost": spent, "throttleStatus": status}}}


def _mutation_cost(operation: OperationDefinitionNode) -> int:
    return shopify_cost.MUTATION_COST if operation.operation.value == "mutation" else 0


def _resolve(source: Any, info: GraphQLResolveInfo[Any], **args: Any) -> Any:
    """Refuses a field whose scope the token lacks; otherwise takes the field from the mapping."""
    needed = ACCESS.get((info.parent_type.name, info.field_name))
    if needed is not None and needed not in info.context["scopes"]:
        required = f"`{needed}` access scope."
        extensions = {
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": required,
        }
        message = f"Access denied for {info.field_name} field. Required access: {required}"
        raise GraphQLError(message, extensions=extensions)
    return default_field_resolver(source, info, **args)


def _queries(world: World, scopes: tuple[str, ...]) -> Mapping[str, Any]:
    """The root fields; without `read_all_orders`, orders older than 60 days and their refunds do not exist."""

    def seen(order: model.Order | None) -> model.Order | None:
        if order is None or "read_all_orders" in scopes or world.clock.now() - order.created_at < YOUNG:
            return order
        return None

    def orders(info: object, **args: Any) -> object:
        rows = search((o for o in world.orders.values() if seen(o)), args.get("query"), _order_fields(world))
        key = _ORDER_KEYS.get(args.get("sortKey") or "PROCESSED_AT", _ORDER_KEYS["CREATED_AT"])
        return connection(rows, lambda order: shopify_nodes.order_node(world, order), args, key=key)

    def order(info: object, id: str) -> object:
        found = seen(world.orders.get(_number(id, "Order")))
        return shopify_nodes.order_node(world, found) if found else None

    def refund(info: object, id: str) -> object:
        found = world.refunds.get(_number(id, "Refund"))
        visible = found is not None and seen(world.orders[found.order_id])
        return shopify_nodes.refund_node(world, found) if found and visible else None

    def fulfillment(info: object, id: str) -> object:
        number = _number(id, "Fulfillment")
        pairs = ((o, one) for o in world.orders.values() for one in o.fulfilments if one.id == number)
        return next((shopify_nodes.fulfilment_node(world, o, one) for o, one in pairs), None)

    def native_return(info: object, id: str) -> object:
        found = world.native_returns.get(_number(id, "Return"))
        return shopify_nodes.return_node(world, found) if found else None

    here = {"orders": orders, "order": order, "refund": refund, "fulfillment": fulfillment, "return": native_return}
    return {**here, **_stock_queries(world), **_shop_queries(world, scopes)}


def _stock_queries(world: World) -> Mapping[str, Callable[..., object]]:
    def locations(info: object, **args: Any) -> object:
        rows = [one for one in world.locations.values() if one.is_active or args.get("includeInactive")]
        make = lambda one: shopify_stock_nodes.location_node(world, one.id)  # noqa: E731  # a row's object
        return connection(rows, make, args, key=lambda one: (one.id,))

    def location(info: object, id: str | None = None) -> object:
        number = _number(id, "Location") if id else next(iter(world.locations), None)
        return shopify_stock_nodes.location_node(world, number)

    def items(info: object, **args: Any) -> object:
        fields: dict[str, Callable[[model.Item], object]] = {
            "sku": lambda item: item.sku,
            "id": lambda item: item.inventory_item_id,
        }
        rows = search(world.items.values(), args.get("query"), fields)
        make = lambda item: shopify_stock_nodes.item_node(world, item)  # noqa: E731  # a row's object
        return connection(rows, make, args, key=lambda item: (item.inventory_item_id,))

    def variants(info: object, **args: Any) -> object:
        fields: dict[str, Callable[[model.Item], object]] = {
            "sku": lambda item: item.sku,
            "barcode": lambda item: item.upc,
            "id": lambda item: item.variant_id,
        }
        rows = search(world.items.values(), args.get("query"), fields)
        make = lambda item: shopify_stock_nodes.variant_node(world, item)  # noqa: E731  # a row's object
        return connection(rows, make, args, key=lambda item: (item.variant_id,))

    def one(make: Callable[[World, model.Item], object]) -> Callable[..., object]:
        def find(info: object, id: str) -> object:
            item = shopify_stock_nodes.find_item(world, id)
            return make(world, item) if item else None

        return find

    def level(info: object, id: str) -> object:
        place, _, number = id.rsplit("/", 1)[-1].partition("?inventory_item_id=")
        item = shopify_stock_nodes.find_item(world, f"/{number}")
        return shopify_stock_nodes.level_node(world, item, int(place), True) if item and place.isdigit() else None

    single = {"inventoryItem": one(shopify_stock_nodes.item_node), "productVariant": one(shopify_stock_nodes.variant_node)}
    lists = {"locations": locations, "inventoryItems": items, "productVariants": variants}
    return {**lists, **single, "location": location, "inventoryLevel": level}


def _shop_queries(world: World, scopes: tuple[str, ...]) -> Mapping[str, object]:
    shop = {
        "id": shopify_nodes.gid("Shop", int(str(SHOP["id"]))),
        "name": SHOP["name"],
        "myshopifyDomain": SHOP["domain"],
        "currencyCode": "USD",
        "ianaTimezone": SHOP["timezone"],
        "taxesIncluded": False,
        "plan": {"publicDisplayName": "Advanced", "shopifyPlus": False},
    }
    versions = [{"handle": name, "displayName": name, "supported": good} for name, good in VERSIONS.items()]
    installation = {"accessScopes": [{"handle": scope} for scope in scopes]}
    return {"shop": shop, "currentAppInstallation": installation, "publicApiVersions": versions}


_ORDER_KEYS: dict[str, Callable[[model.Order], tuple[object, ...]]] = {
    "UPDATED_AT": lambda order: (order.updated_at.isoformat(), order.id),
    "CREATED_AT": lambda order: (order.created_at.isoformat(), order.id),
    "PROCESSED_AT": lambda order: (order.created_at.isoformat(), order.id),
    "ID": lambda order: (order.id,),
    "ORDER_NUMBER": lambda order: (order.number, order.id),
}


def _order_fields(world: World) -> Mapping[str, Callable[[model.Order], object]]:
    return {
        "updated_at": lambda order: order.updated_at,
        "created_at": lambda order: order.created_at,
        "processed_at": lambda order: order.created_at,
        "name": lambda order: order.name,
        "id": lambda order: order.id,
        "tag": lambda order: order.tags,
        "test": lambda order: str(order.test).lower(),
        "source_name": lambda order: order.source_name or "",
        "discount_code": lambda order: next((one.title for one in order.discounts if one.kind == "code"), ""),
        "status": lambda order: "cancelled" if order.cancelled_at else "open",
        "return_status": lambda order: shopify_nodes.return_status(world, order),
        "financial_status": lambda order: shopify_nodes.financial_status(order, world.refunds_of(order)),
    }


def _number(node_id: str, kind: str) -> int:
    found = re.fullmatch(rf"gid://shopify/{kind}/(\d+)", node_id)
    if found is None:
        raise GraphQLError(f"Invalid global id '{node_id}'", extensions={"code": "argumentLiteralsIncompatible"})
    return int(found[1])


def _printed(error: GraphQLError) -> dict[str, Any]:
    """An error as Shopify prints it; an unknown field has its own words and code."""
    printed: dict[str, Any] = dict(error.formatted)
    unknown = _UNKNOWN_FIELD.search(error.message)
    if unknown:
        printed["message"] = f"Field '{unknown['field']}' doesn't exist on type '{unknown['type']}'"
        printed["extensions"] = {"code": "undefinedField", "typeName": unknown["type"], "fieldName": unknown["field"]}
    return printed


def _answer_error(message: str, extensions: Mapping[str, object]) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": dict(extensions)}]}
