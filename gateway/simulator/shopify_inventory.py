"""Shopify's inventory mutations: set, adjust, move, activate, with idempotency keys and compare-and-set.

All entries of a call are checked first; any user error leaves every quantity as it was. A key is kept for 24 hours: the same
key with the same variables has no second effect and is answered from the present state, with other variables it is refused.
Source: https://shopify.dev/docs/api/usage/idempotent-requests ,
https://shopify.dev/changelog/making-changefromquantity-field-required
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo
from graphql.execution import get_directive_values

from gateway.simulator import model
from gateway.simulator.shopify_nodes import instant
from gateway.simulator.shopify_stock_nodes import find_item, item_node, level_node, location_node
from gateway.simulator.world import World

MOST_ENTRIES = 250
LARGEST_QUANTITY = 1_000_000_000
KEY_LIFE = timedelta(hours=24)
MUST_BE_IDEMPOTENT_FROM = "2026-04"
REASONS = [
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
]
MOVABLE = ("available", "reserved", "damaged", "safety_stock", "quality_control")
NO_DIRECTIVE = "The @idempotent directive is required for this mutation but was not provided."

UserErrors = list[dict[str, object]]


@dataclass
class Change:
    """One quantity of one level that a mutation changes; `place` is its position in the input, for messages."""

    place: Sequence[str]
    item: model.Item
    location_id: int
    name: str
    delta: int


@dataclass
class Attempt:
    """What became of a mutation under its key."""

    at: datetime
    asked: str
    group_id: int
    changes: list[Change] = field(default_factory=list)
    failed: bool = False


class Inventory:
    """The inventory mutations over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.attempts: dict[str, Attempt] = {}

    def set_quantities(self, info: GraphQLResolveInfo[Any], input: Mapping[str, Any]) -> object:
        """Absolute quantities for `available` or `on_hand`."""
        _limit(input["quantities"], "InventoryQuantityInput")
        errors = _general(input, ("available", "on_hand"), "INVALID_NAME")
        changes, seen = [], set()
        for place, entry in enumerate(input["quantities"]):
            where = ["input", "quantities", str(place)]
            change = self._entry(entry, input["name"], where, errors)
            if not 0 <= entry["quantity"] <= LARGEST_QUANTITY:
                code = "INVALID_QUANTITY_NEGATIVE" if entry["quantity"] < 0 else "INVALID_QUANTITY_TOO_HIGH"
                errors.append(_error(code, [*where, "quantity"], "The quantity is out of range."))
            pair = (entry["inventoryItemId"], entry["locationId"])
            if pair in seen:
                code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
                errors.append(_error(code, where, "The combination of inventoryItemId and locationId must be unique."))
            seen.add(pair)
            if change is not None:
                change.delta = entry["quantity"] - self._read(change)
                changes.append(change)
        return self._run(info, input, changes, errors)

    def adjust_quantities(self, info: GraphQLResolveInfo[Any], input: Mapping[str, Any]) -> object:
        """Relative changes of one quantity name other than on_hand."""
        _limit(input["changes"], "InventoryChangeInput")
        errors = _general(input, (*MOVABLE, "incoming"), "INVALID_QUANTITY_NAME")
        changes = []
        for place, entry in enumerate(input["changes"]):
            where = ["input", "changes", str(place)]
            change = self._entry(entry, input["name"], where, errors)
            has_ledger = bool(entry.get("ledgerDocumentUri"))
            if has_ledger != (input["name"] != "available"):
                code = "INVALID_AVAILABLE_DOCUMENT" if has_ledger else "INVALID_QUANTITY_DOCUMENT"
                errors.append(_error(code, [*where, "ledgerDocumentUri"], "The ledger document does not fit the quantity name."))
            if change is not None:
                change.delta = entry["delta"]
                changes.append(change)
        return self._run(info, input, changes, errors)

    def move_quantities(self, info: GraphQLResolveInfo[Any], input: Mapping[str, Any]) -> object:
        """Between two names at one location."""
        errors = _general({**input, "name": "available"}, MOVABLE, "INVALID_QUANTITY_NAME")
        changes = []
        for place, entry in enumerate(input["changes"]):
            where = ["input", "changes", str(place)]
            _limit([entry["from"], entry["to"]], "InventoryMoveQuantityTerminalInput")
            if entry["from"]["locationId"] != entry["to"]["locationId"]:
                errors.append(_error("DIFFERENT_LOCATIONS", where, "The quantities can't be moved between different locations."))
            if entry["from"]["name"] == entry["to"]["name"]:
                errors.append(_error("SAME_QUANTITY_NAME", where, "The quantity names for each change can't be the same."))
            for end, sign in (("from", -1), ("to", 1)):
                part = {**entry[end], "inventoryItemId": entry["inventoryItemId"]}
                change = self._entry(part, part["name"], [*where, end], errors)
                if change is not None:
                    change.delta = sign * entry["quantity"]
                    changes.append(change)
        return self._run(info, input, changes, errors)

    def activate(self, info: GraphQLResolveInfo[Any], inventoryItemId: str, locationId: str, available: int | None = None) -> object:
        """Stock an item at a location; a level activated again keeps its former quantity unless one is given."""
        _key(info)
        item, place = find_item(self.world, inventoryItemId), _location(self.world, locationId)
        if item is None or place is None:
            missing = "inventoryItemId" if item is None else "locationId"
            return {"inventoryLevel": None, "userErrors": [{"field": [missing], "message": "It could not be found."}]}
        level = self.world.stock(item.sku, place)
        level.is_active = True
        if available is not None:
            self.world.set_stock(item.sku, place, available)
        return {"inventoryLevel": level_node(self.world, item, place), "userErrors": []}

    def _entry(self, entry: Mapping[str, Any], name: str, where: list[str], errors: UserErrors) -> Change | None:
        """An input entry as a change without its amount; adds to `errors` what is wrong with it."""
        item, place = find_item(self.world, entry["inventoryItemId"]), _location(self.world, entry["locationId"])
        if item is None:
            errors.append(_error("INVALID_INVENTORY_ITEM", [*where, "inventoryItemId"], "The inventory item couldn't be found."))
        elif not item.mutable:
            text = "The specified inventory item is not allowed to be adjusted via API."
            errors.append(_error("NON_MUTABLE_INVENTORY_ITEM", [*where, "inventoryItemId"], text))
        if place is None:
            errors.append(_error("INVALID_LOCATION", [*where, "locationId"], "The location couldn't be found."))
        if item is None or place is None:
            return None
        change = Change(where, item, place, name, 0)
        wanted = entry["changeFromQuantity"]
        if wanted is not None and wanted != self._read(change):
            text = "The changeFromQuantity argument no longer matches the persisted quantity."
            errors.append(_error("CHANGE_FROM_QUANTITY_STALE", [*where, "changeFromQuantity"], text))
        return change

    def _read(self, change: Change) -> int:
        return self.world.stock(change.item.sku, change.location_id).read(change.name)

    def _run(self, info: GraphQLResolveInfo[Any], input: Mapping[str, Any], changes: list[Change], errors: UserErrors) -> object:
        key, now = _key(info), self.world.clock.now()
        asked = json.dumps([info.field_name, input])
        before = self.attempts.get(key) if key else None
        if before is not None and now - before.at < KEY_LIFE:
            return self._again(before, asked, input, now)
        attempt = Attempt(now, asked, self.world.number(), changes, failed=bool(errors))
        if key:
            self.attempts[key] = attempt
        if errors:
            return {"inventoryAdjustmentGroup": None, "userErrors": errors}
        for change in changes:
            cause = f"{info.field_name} {input.get('referenceDocumentUri') or ''}".strip()
            if change.delta:
                self.world.move_stock(change.item, change.location_id, change.delta, cause, at=self.world.now(), name=change.name)
        info.context["effect"] = True
        return self._payload(attempt, input)

    def _again(self, before: Attempt, asked: str, input: Mapping[str, Any], now: datetime) -> object:
        """The answer to a key that was used before."""
        if before.asked != asked:
            text = "The same idempotency key was used with different parameters."
            return _refused("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", text)
        if before.failed:
            return _refused("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "The previous attempt with this idempotency key failed.")
        return self._payload(before, input)

    def _payload(self, attempt: Attempt, input: Mapping[str, Any]) -> object:
        rows = [
            {
                "name": change.name,
                "delta": change.delta,
                "quantityAfterChange": self._read(change),
                "item": item_node(self.world, change.item),
                "location": location_node(self.world, change.location_id),
            }
            for change in attempt.changes
        ]
        group = {
            "id": f"gid://shopify/InventoryAdjustmentGroup/{attempt.group_id}",
            "createdAt": instant(attempt.at),
            "reason": input["reason"],
            "referenceDocumentUri": input.get("referenceDocumentUri"),
            "changes": rows,
        }
        return {"inventoryAdjustmentGroup": group, "userErrors": []}


def resolvers(inventory: Inventory) -> Mapping[str, Callable[..., object]]:
    """The mutations by field name."""
    return {
        "inventorySetQuantities": inventory.set_quantities,
        "inventoryAdjustQuantities": inventory.adjust_quantities,
        "inventoryMoveQuantities": inventory.move_quantities,
        "inventoryActivate": inventory.activate,
    }


def _key(info: GraphQLResolveInfo[Any]) -> str | None:
    directive = info.schema.get_directive("idempotent")
    found = get_directive_values(directive, info.field_nodes[0], info.variable_values) if directive else None
    key = str(found["key"]).strip() if found else None
    if not key and info.context["version"] >= MUST_BE_IDEMPOTENT_FROM:
        raise GraphQLError(NO_DIRECTIVE, extensions={"code": "BAD_REQUEST"})
    return key


def _limit(entries: Sequence[Mapping[str, Any]], kind: str) -> None:
    if len(entries) > MOST_ENTRIES:
        message = f"The input array size of {len(entries)} is greater than the maximum allowed of {MOST_ENTRIES}."
        raise GraphQLError(message, extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"})
    if any("changeFromQuantity" not in entry for entry in entries):
        message = f"{kind} must include the following argument: changeFromQuantity."
        raise GraphQLError(message, extensions={"code": "INVALID_FIELD_ARGUMENTS"})


def _general(input: Mapping[str, Any], names: Sequence[str], name_code: str) -> UserErrors:
    errors: UserErrors = []
    if input["name"] not in names:
        errors.append(_error(name_code, ["input", "name"], f"The quantity name must be one of {', '.join(names)}."))
    if input["reason"] not in REASONS:
        errors.append(_error("INVALID_REASON", ["input", "reason"], "The specified reason is invalid."))
    uri = input.get("referenceDocumentUri")
    if uri is not None and "://" not in uri:
        text = "The specified reference document is invalid."
        errors.append(_error("INVALID_REFERENCE_DOCUMENT", ["input", "referenceDocumentUri"], text))
    return errors


def _location(world: World, node_id: str) -> int | None:
    tail = node_id.rsplit("/", 1)[-1]
    return int(tail) if tail.isdigit() and int(tail) in world.locations else None


def _error(code: str, where: list[str], message: str) -> dict[str, object]:
    return {"code": code, "field": where, "message": message}


def _refused(code: str, message: str) -> object:
    return {"inventoryAdjustmentGroup": None, "userErrors": [_error(code, ["key"], message)]}
