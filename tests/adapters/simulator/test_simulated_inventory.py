"""Inventory is written once per key, compared before it is set, and refused entry by entry."""

import pytest

from gateway.simulator.world import World

SET = """mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason changes { name delta quantityAfterChange } }
    userErrors { code field message } } }"""
SET_WITHOUT_KEY = SET.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")


def entry(world: World, sku: str, quantity: int, before: int | None, place: int = 7001) -> dict:
    number = world.item(sku).inventory_item_id
    return {
        "inventoryItemId": f"gid://shopify/InventoryItem/{number}",
        "locationId": f"gid://shopify/Location/{place}",
        "quantity": quantity,
        "changeFromQuantity": before,
    }


def given(*entries: dict, **more: object) -> dict:
    return {"name": "available", "reason": "correction", "quantities": list(entries), **more}


def codes(answer: dict) -> list[str]:
    return [error["code"] for error in answer["data"]["inventorySetQuantities"]["userErrors"]]


def test_a_quantity_is_set(world: World, ask):
    answer = ask.shopify(SET, key="a", input=given(entry(world, "TEE-BLK-M", 12, 10))).json()
    group = answer["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"]
    assert group["changes"] == [{"name": "available", "delta": 2, "quantityAfterChange": 12}]
    assert (codes(answer), world.available("TEE-BLK-M", 7001)) == ([], 12)
    assert ask.simulator.calls.count("SetQuantities", accepted=True) == 1


def test_a_key_has_one_effect_and_is_answered_from_the_present_state(world: World, ask):
    variables = {"key": "a", "input": given(entry(world, "TEE-BLK-M", 12, 10))}
    ask.shopify(SET, **variables)
    world.set_stock("TEE-BLK-M", 7001, 5)
    again = ask.shopify(SET, **variables).json()
    group = again["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"]
    assert group["changes"][0]["quantityAfterChange"] == 5
    assert (codes(again), world.available("TEE-BLK-M", 7001)) == ([], 5)
    assert [call.effect for call in ask.simulator.calls.all("SetQuantities")] == [True, False]


def test_a_key_with_other_variables_is_refused(world: World, ask):
    ask.shopify(SET, key="a", input=given(entry(world, "TEE-BLK-M", 12, 10)))
    other = ask.shopify(SET, key="a", input=given(entry(world, "TEE-BLK-M", 13, 12))).json()
    assert (codes(other), world.available("TEE-BLK-M", 7001)) == (["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"], 12)


def test_a_key_runs_again_after_a_day(world: World, ask):
    variables = {"key": "a", "input": given(entry(world, "TEE-BLK-M", 12, None))}
    ask.shopify(SET, **variables)
    world.set_stock("TEE-BLK-M", 7001, 5)
    world.clock.advance(86401)
    ask.shopify(SET, **variables)
    assert world.available("TEE-BLK-M", 7001) == 12


def test_a_stale_compare_value_changes_nothing(world: World, ask):
    fresh, stale = entry(world, "HOOD-GRY-M", 11, 10), entry(world, "TEE-BLK-M", 12, 9)
    answer = ask.shopify(SET, key="a", input=given(fresh, stale)).json()
    error = answer["data"]["inventorySetQuantities"]["userErrors"][0]
    assert (error["code"], error["field"]) == ("CHANGE_FROM_QUANTITY_STALE", ["input", "quantities", "1", "changeFromQuantity"])
    assert (world.available("HOOD-GRY-M", 7001), world.available("TEE-BLK-M", 7001)) == (10, 10)
    again = ask.shopify(SET, key="a", input=given(fresh, stale)).json()
    assert codes(again) == ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]


def test_without_the_directive_it_is_a_top_level_error(world: World, ask):
    answer = ask.shopify(SET_WITHOUT_KEY, input=given(entry(world, "TEE-BLK-M", 12, 10))).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert "@idempotent directive is required" in answer["errors"][0]["message"]
    assert ask.shopify(SET, key=" ", input=given(entry(world, "TEE-BLK-M", 12, 10))).json()["errors"]
    assert world.available("TEE-BLK-M", 7001) == 10


def test_leaving_the_compare_value_out_is_a_top_level_error(world: World, ask):
    bare = entry(world, "TEE-BLK-M", 12, 10)
    del bare["changeFromQuantity"]
    answer = ask.shopify(SET, key="a", input=given(bare)).json()
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"


def test_more_than_250_entries_are_refused(world: World, ask):
    answer = ask.shopify(SET, key="a", input=given(*[entry(world, "TEE-BLK-M", 12, 10)] * 251)).json()
    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": -1}, "INVALID_QUANTITY_NEGATIVE"),
        ({"quantity": 1_000_000_001}, "INVALID_QUANTITY_TOO_HIGH"),
        ({"inventoryItemId": "gid://shopify/InventoryItem/1"}, "INVALID_INVENTORY_ITEM"),
        ({"locationId": "gid://shopify/Location/1"}, "INVALID_LOCATION"),
    ],
)
def test_entries_that_do_not_fit_have_their_codes(world: World, ask, change: dict, code: str):
    answer = ask.shopify(SET, key="a", input=given({**entry(world, "TEE-BLK-M", 12, 10), **change})).json()
    assert codes(answer) == [code]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "committed"}, "INVALID_NAME"),
        ({"reason": "because"}, "INVALID_REASON"),
        ({"referenceDocumentUri": "x"}, "INVALID_REFERENCE_DOCUMENT"),
    ],
)
def test_inputs_that_do_not_fit_have_their_codes(world: World, ask, change: dict, code: str):
    answer = ask.shopify(SET, key="a", input=given(entry(world, "TEE-BLK-M", 12, 10), **change)).json()
    assert codes(answer)[0] == code


def test_a_pair_twice_is_refused(world: World, ask):
    answer = ask.shopify(SET, key="a", input=given(*[entry(world, "TEE-BLK-M", 12, 10)] * 2)).json()
    assert codes(answer) == ["NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"]


def test_on_hand_counts_what_is_committed(world: World, ask):
    world.set_stock("TEE-BLK-M", 7001, 3, name="committed")
    answer = ask.shopify(SET, key="a", input={**given(entry(world, "TEE-BLK-M", 20, 13)), "name": "on_hand"}).json()
    assert (codes(answer), world.available("TEE-BLK-M", 7001)) == ([], 17)


def test_units_move_between_names_and_by_deltas(world: World, ask):
    move = """mutation Move($input: InventoryMoveQuantitiesInput!, $key: String!) {
      inventoryMoveQuantities(input: $input) @idempotent(key: $key) { userErrors { code } } }"""
    adjust = """mutation Adjust($input: InventoryAdjustQuantitiesInput!, $key: String!) {
      inventoryAdjustQuantities(input: $input) @idempotent(key: $key) { userErrors { code } } }"""
    one = entry(world, "TEE-BLK-M", 1, None)
    end = {"locationId": one["locationId"], "changeFromQuantity": None}
    change = {"quantity": 2, "inventoryItemId": one["inventoryItemId"]}
    change |= {"from": {**end, "name": "available"}, "to": {**end, "name": "damaged", "ledgerDocumentUri": "gid://gw/R/1"}}
    moved = ask.shopify(move, key="m", input={"reason": "damaged", "referenceDocumentUri": "gid://gw/R/1", "changes": [change]})
    assert moved.json()["data"]["inventoryMoveQuantities"]["userErrors"] == []
    delta = {"inventoryItemId": one["inventoryItemId"], "locationId": one["locationId"], "delta": -1, "changeFromQuantity": 8}
    ask.shopify(adjust, key="d", input={"reason": "correction", "name": "available", "changes": [delta]})
    level = world.stock("TEE-BLK-M", 7001)
    assert [level.read(name) for name in ("available", "damaged", "on_hand")] == [7, 2, 9]


def test_a_level_is_activated_with_a_quantity(world: World, ask):
    world.add_item("NEW-1", "840000100085", "5.00")
    activate = """mutation On($item: ID!, $place: ID!, $key: String!) {
      inventoryActivate(inventoryItemId: $item, locationId: $place, available: 4) @idempotent(key: $key) {
        inventoryLevel { isActive quantities(names: ["available"]) { name quantity } } userErrors { message } } }"""
    number = world.item("NEW-1").inventory_item_id
    ids = {"item": f"gid://shopify/InventoryItem/{number}", "place": "gid://shopify/Location/7001"}
    level = ask.shopify(activate, key="k", **ids).json()["data"]["inventoryActivate"]["inventoryLevel"]
    assert level["quantities"] == [{"name": "available", "quantity": 4}]


def test_levels_are_read_by_location(world: World, ask):
    query = """query Levels($id: ID!, $after: String) { location(id: $id) { inventoryLevels(first: 3, after: $after) {
      nodes { item { sku } quantities(names: ["available", "on_hand"]) { name quantity } } pageInfo { hasNextPage endCursor } } } }"""
    found, after = [], None
    while True:
        page = ask.shopify(query, id="gid://shopify/Location/7002", after=after).json()["data"]["location"]["inventoryLevels"]
        found += [node["item"]["sku"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert found == list(world.items)
