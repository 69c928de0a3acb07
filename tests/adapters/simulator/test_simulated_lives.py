"""Whole lives of returns, as a client would drive them through the two interfaces."""

from gateway.simulator.world import World

REFUND_LINES = """query Lines($id: ID!) { refund(id: $id) { refundLineItems(first: 9) { nodes { quantity restockType
  lineItem { sku } } } totalRefundedSet { shopMoney { amount } } } }"""
SET = """mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) { userErrors { code } } }"""


def refund_lines(ask, rma: int) -> list[tuple[str, int, str]]:
    number = ask.details(rma)["refunds"][0]["provider_refund_id"]
    refund = ask.shopify(REFUND_LINES, id=f"gid://shopify/Refund/{number}").json()["data"]["refund"]
    return [(line["lineItem"]["sku"], line["quantity"], line["restockType"]) for line in refund["refundLineItems"]["nodes"]]


def test_a_standard_return_from_list_to_export(returns: World, ask):
    listed = next(row for row in ask.list(filter="updated_at").json() if row["id"] == "77000001")
    assert len(listed["line_items"]) == 3
    ask.act(77000001, "note", json={"content": "RA77000001 at NJ1"})
    ask.act(77000001, "process", json={"Receipt": "WR5501"})
    returns.let_pass(1)
    assert refund_lines(ask, 77000001) == [("TEE-BLK-M", 2, "RETURN"), ("HOOD-GRY-M", 1, "RETURN")]
    quantities = [
        {
            "inventoryItemId": f"gid://shopify/InventoryItem/{returns.item(sku).inventory_item_id}",
            "locationId": "gid://shopify/Location/7001",
            "quantity": count,
            "changeFromQuantity": count,
        }
        for sku, count in (("TEE-BLK-M", 12), ("HOOD-GRY-M", 11))
    ]
    given = {"name": "available", "reason": "correction", "quantities": quantities}
    answer = ask.shopify(SET, key="export-1", input=given).json()
    assert answer["data"]["inventorySetQuantities"]["userErrors"] == []
    assert returns.available("TEE-BLK-M", 7001) == 12


def test_a_damaged_return_goes_through_review_without_restock(returns: World, ask):
    ask.act(77000004, "note", json={"content": "HOOD-GRY-M 1 damaged, WR5504"})
    ask.act(77000004, "flag")
    assert [row["id"] for row in ask.list(state="review").json()] == ["77000004"]
    returns.review(77000004, restock=False)
    assert refund_lines(ask, 77000004) == [("HOOD-GRY-M", 1, "NO_RESTOCK")]
    assert returns.available("HOOD-GRY-M", 7001) == 10
    assert [ask.simulator.calls.count(verb, 77000004) for verb in ("flag", "note", "process")] == [1, 1, 0]


def test_a_short_return_loses_a_line_in_review(returns: World, ask):
    ask.act(77000003, "flag")
    returns.review(77000003, remove=[830003])
    assert refund_lines(ask, 77000003) == [("TEE-BLK-M", 1, "RETURN"), ("HOOD-GRY-M", 1, "RETURN")]
    assert ask.details(77000003)["refund"] == "108.00"


def test_a_crash_after_process_is_seen_by_reading_again(returns: World, ask):
    """The answer is lost; the return closes all the same, and a second process is refused."""
    ask.simulator.faults.add("status", match="process", status=502, effect=True)
    assert ask.act(77000001, "process").status_code == 502
    returns.let_pass(1)
    assert ask.details(77000001)["state"] == "closed"
    assert ask.act(77000001, "process").json()["errors"]["code"] == "UNPROCESSABLE_RETURN"
    assert len(returns.refunds) == 1
