"""The simulated Shopify answers GraphQL as Shopify does, refusals and limits included."""

from datetime import timedelta

import pytest
import requests

from gateway.simulator.world import World

ORDERS = """query Orders($query: String, $first: Int!, $after: String) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { id name updatedAt refunds(first: 15) { id } } pageInfo { hasNextPage endCursor } } }"""
REFUND = """query Refund($id: ID!) { refund(id: $id) { id legacyResourceId note
  totalRefundedSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }
  order { id name } return { id }
  refundLineItems(first: 30) { nodes { quantity restockType restocked location { legacyResourceId name }
    subtotalSet { shopMoney { amount } } totalTaxSet { shopMoney { amount } } lineItem { id sku variant { inventoryItem { id } } } } }
  orderAdjustments(first: 5) { nodes { reason amountSet { shopMoney { amount } } } }
  transactions(first: 10) { nodes { kind status gateway amountSet { shopMoney { amount } } parentTransaction { id } } } } }"""
SHIPPED = """query Shipped($id: ID!) { order(id: $id) { cancelledAt fulfillmentsCount { count }
  lineItems(first: 10) { nodes { id sku quantity unfulfilledQuantity } }
  fulfillments(first: 5) { id status fulfillmentLineItems(first: 10) { nodes { quantity lineItem { id sku } } } } } }"""
EXCHANGE = """query Exchange($id: ID!) { order(id: $id) { name tags discountCodes customAttributes { key value }
  totalPriceSet { shopMoney { amount } } totalReceivedSet { shopMoney { amount } } totalOutstandingSet { shopMoney { amount } }
  displayFinancialStatus
  lineItems(first: 5) { nodes { sku discountAllocations { allocatedAmountSet { shopMoney { amount } }
    discountApplication { __typename ... on DiscountCodeApplication { code } } } taxLines { priceSet { shopMoney { amount } } } } } } }"""


def ids(answer: dict) -> list[str]:
    return [node["name"] for node in answer["data"]["orders"]["nodes"]]


def when(world: World, **ago: float) -> str:
    return f"{world.now() - timedelta(**ago):%Y-%m-%dT%H:%M:%SZ}"


def test_a_refund_is_read_whole(returns: World, ask):
    ask.act(77000001, "process")
    returns.let_pass(1)
    refund = ask.shopify(REFUND, id="gid://shopify/Refund/6100001").json()["data"]["refund"]
    assert refund["totalRefundedSet"]["shopMoney"] == {"amount": "140.40", "currencyCode": "USD"}
    lines = refund["refundLineItems"]["nodes"]
    assert [(line["lineItem"]["sku"], line["quantity"], line["restockType"]) for line in lines] == [
        ("TEE-BLK-M", 2, "RETURN"),
        ("HOOD-GRY-M", 1, "RETURN"),
    ]
    assert lines[0]["location"] == {"legacyResourceId": "7001", "name": "NJ1"}
    assert (refund["order"]["name"], refund["return"]) == ("#1001", None)
    paid = refund["transactions"]["nodes"][0]
    assert (paid["kind"], paid["status"], paid["amountSet"]["shopMoney"]["amount"]) == ("REFUND", "SUCCESS", "140.40")
    assert paid["parentTransaction"]["id"].startswith("gid://shopify/OrderTransaction/")


def test_touched_orders_are_found_by_quoted_time(returns: World, ask):
    since = when(returns, seconds=5)
    assert ids(ask.shopify(ORDERS, query=f"updated_at:>='{since}'", first=50).json()) == []
    ask.act(77000001, "process")
    returns.let_pass(2)
    found = ask.shopify(ORDERS, query=f"updated_at:>='{since}' updated_at:<'{when(returns, seconds=-60)}'", first=50).json()
    assert ids(found) == ["#1001"]
    assert found["data"]["orders"]["nodes"][0]["refunds"] == [{"id": "gid://shopify/Refund/6100001"}]


def test_an_unquoted_time_matches_the_whole_day(world: World, ask):
    world.add_order(5000002001, "#2001", [("TEE-BLK-M", 1)], created_at=world.now().replace(hour=0, minute=0, second=1))
    late = f"{world.now():%Y-%m-%d}T23:59:59Z"
    assert ids(ask.shopify(ORDERS, query=f"updated_at:>={late}", first=50).json()) == ["#2001"]
    assert ids(ask.shopify(ORDERS, query=f"updated_at:>='{late}'", first=50).json()) == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name:1003", ["#1003"]),
        ("name:'#1003' OR name:1004", ["#1003", "#1004"]),
        ("name:1003 test:true", []),
        ("-name:1001 name:1001", []),
        ("financial_status:refunded", ["#1006"]),
    ],
)
def test_search_strings_select_orders(world: World, ask, query: str, names: list[str]):
    world.refund("#1006", lines=[("DRS-RED-6", 1, "CANCEL")])
    assert sorted(ids(ask.shopify(ORDERS, query=query, first=50).json())) == names


def test_pages_of_orders_hold_each_once_even_with_ties(world: World, ask):
    names, after = [], None
    while True:
        page = ask.shopify(ORDERS, first=2, after=after).json()["data"]["orders"]
        names += [node["name"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert sorted(names) == ["#1001", "#1002", "#1003", "#1004", "#1005", "#1006"]


def test_what_shipped_is_told_by_fulfilments(ask):
    order = ask.shopify(SHIPPED, id="gid://shopify/Order/5000001005").json()["data"]["order"]
    shipped = [part["lineItem"]["sku"] for one in order["fulfillments"] for part in one["fulfillmentLineItems"]["nodes"]]
    assert (shipped, order["fulfillmentsCount"]["count"]) == (["HOOD-GRY-M"], 1)
    assert [line["unfulfilledQuantity"] for line in order["lineItems"]["nodes"]] == [0, 1]


@pytest.mark.parametrize(("discount", "outstanding", "status"), [(False, "0.00", "PAID"), (True, "9.60", "PENDING")])
def test_an_exchange_order_shows_how_it_was_paid(returns: World, ask, discount: bool, outstanding: str, status: str):
    returns.settings.loop_discount = discount
    ask.act(77000002, "process", json={"Receipt": "WR5502"})
    returns.let_pass(1)
    order = ask.shopify(EXCHANGE, id="gid://shopify/Order/5100001002").json()["data"]["order"]
    assert (order["name"], order["tags"]) == ("EXC-1002", ["1002"])
    assert order["customAttributes"] == [{"key": "Receipt", "value": "WR5502"}]
    assert (order["totalOutstandingSet"]["shopMoney"]["amount"], order["displayFinancialStatus"]) == (outstanding, status)
    assert order["discountCodes"] == (["loop-discount"] if discount else [])
    allocations = order["lineItems"]["nodes"][0]["discountAllocations"]
    assert [part["discountApplication"]["code"] for part in allocations] == order["discountCodes"]


def test_amounts_come_in_both_currencies(world: World, ask):
    world.add_order(5000002001, "#2001", [("TEE-BLK-M", 1)], presentment=("EUR", "0.90"))
    world.refund("#2001", lines=[("TEE-BLK-M", 1, "RETURN")], refund_id=6100009)
    refund = ask.shopify(REFUND, id="gid://shopify/Refund/6100009").json()["data"]["refund"]
    assert refund["totalRefundedSet"]["presentmentMoney"] == {"amount": "29.16", "currencyCode": "EUR"}


def test_a_native_return_tells_its_dispositions(world: World, ask):
    world.native_return("#1001", [("TEE-BLK-M", 1, "NOT_RESTOCKED", 7001)], return_id=5551)
    query = """query Return($id: ID!) { return(id: $id) { name status reverseFulfillmentOrders(first: 1) { nodes {
      lineItems(first: 5) { nodes { fulfillmentLineItem { lineItem { sku } } dispositions { type quantity location { name } } } } } }
      returnLineItems(first: 5) { nodes { quantity ... on ReturnLineItem { fulfillmentLineItem { lineItem { sku } } } } } } }"""
    found = ask.shopify(query, id="gid://shopify/Return/5551").json()["data"]["return"]
    line = found["reverseFulfillmentOrders"]["nodes"][0]["lineItems"]["nodes"][0]
    assert line["dispositions"] == [{"type": "NOT_RESTOCKED", "quantity": 1, "location": {"name": "NJ1"}}]
    assert found["returnLineItems"]["nodes"][0]["fulfillmentLineItem"]["lineItem"]["sku"] == "TEE-BLK-M"


def test_an_unknown_field_is_refused_in_shopifys_words(ask):
    error = ask.shopify("{ shop { colour } }").json()["errors"][0]
    assert error["message"] == "Field 'colour' doesn't exist on type 'Shop'"
    assert error["extensions"] == {"code": "undefinedField", "typeName": "Shop", "fieldName": "colour"}


def test_a_document_that_does_not_parse_is_refused(ask):
    assert "Syntax Error" in ask.shopify("{ shop {").json()["errors"][0]["message"]


def test_an_unknown_refund_is_null(ask):
    assert ask.shopify(REFUND, id="gid://shopify/Refund/1").json()["data"] == {"refund": None}


def test_a_wrong_token_is_401_with_a_plain_string(ask):
    refused = ask.shopify("{ shop { name } }", token="wrong")
    assert refused.status_code == 401
    assert isinstance(refused.json()["errors"], str)


def test_a_missing_scope_is_access_denied(ask):
    ask.simulator.shopify_rules.tokens["few"] = ["read_orders"]
    answer = ask.shopify("{ shop { name } locations(first: 5) { nodes { id } } }", token="few").json()
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    scopes = ask.shopify("{ currentAppInstallation { accessScopes { handle } } }", token="few").json()
    assert scopes["data"]["currentAppInstallation"]["accessScopes"] == [{"handle": "read_orders"}]


def test_old_orders_are_invisible_without_the_scope_for_all(world: World, ask):
    world.add_order(5000002001, "#2001", [("TEE-BLK-M", 1)], created_at=world.now() - timedelta(days=61))
    world.refund("#2001", lines=[("TEE-BLK-M", 1, "RETURN")], refund_id=6100009)
    ask.simulator.shopify_rules.tokens["young"] = ["read_orders"]
    assert ids(ask.shopify(ORDERS, query="name:2001", first=5).json()) == ["#2001"]
    assert ids(ask.shopify(ORDERS, query="name:2001", first=5, token="young").json()) == []
    assert ask.shopify('{ refund(id: "gid://shopify/Refund/6100009") { id } }', token="young").json()["data"]["refund"] is None


def test_the_bucket_empties_throttles_and_fills_again(world: World, ask):
    ask.simulator.shopify_rules.bucket.available = 700
    ask.simulator.shopify_rules.bucket.filled_at = world.clock.now()
    throttled = ask.shopify(ORDERS, first=50).json()
    assert throttled["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert throttled["extensions"]["cost"]["actualQueryCost"] is None
    world.clock.advance(2)
    answer = ask.shopify(ORDERS, first=50).json()
    assert answer["extensions"]["cost"]["requestedQueryCost"] == 800
    assert answer["extensions"]["cost"]["actualQueryCost"] == 6


def test_a_document_over_1000_points_is_refused(ask):
    assert ask.shopify(ORDERS, first=100).json()["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


@pytest.mark.parametrize(("asked", "served"), [("2026-10", "2026-10"), ("2025-10", "2026-01"), ("2026-07", "2026-07")])
def test_the_version_served_is_told(ask, asked: str, served: str):
    assert ask.shopify("{ shop { name } }", version=asked).headers["X-Shopify-API-Version"] == served


def test_client_credentials_give_a_token_for_a_day(world: World, ask):
    url = f"{ask.simulator.shopify_url}/admin/oauth/access_token"
    form = {"grant_type": "client_credentials", "client_id": "client-id", "client_secret": "client-secret"}
    granted = requests.post(url, data=form, timeout=5).json()
    assert granted["expires_in"] == 86399
    assert ask.shopify("{ shop { name } }", token=granted["access_token"]).status_code == 200
    world.clock.advance(86400)
    assert ask.shopify("{ shop { name } }", token=granted["access_token"]).status_code == 401
    refused = requests.post(url, data={**form, "client_secret": "wrong"}, timeout=5)
    assert refused.json()["error"] == "invalid_client"


def test_items_are_found_by_sku_word_by_word(ask):
    query = "query Items($query: String!) { inventoryItems(first: 50, query: $query) { nodes { sku tracked duplicateSkuCount } } }"
    exact = ask.shopify(query, query="sku:'TEE-BLK-M' OR sku:'DRS-RED-6'").json()["data"]["inventoryItems"]["nodes"]
    assert [node["sku"] for node in exact] == ["TEE-BLK-M", "DRS-RED-6"]
    loose = ask.shopify(query, query="sku:'TEE-BLK'").json()["data"]["inventoryItems"]["nodes"]
    assert [node["sku"] for node in loose] == ["TEE-BLK-S", "TEE-BLK-M", "TEE-BLK-L"]


def test_locations_and_variants_are_listed(ask):
    places = ask.shopify("{ locations(first: 5) { nodes { legacyResourceId name } } }").json()["data"]["locations"]["nodes"]
    assert [place["name"] for place in places] == ["NJ1", "LA1", "TX1"]
    variants = "{ productVariants(first: 5, query: \"barcode:'084000010085'\") { nodes { sku price product { status } } } }"
    found = ask.shopify(variants).json()["data"]["productVariants"]["nodes"]
    assert found == [{"sku": "SOCK-WHT-OS", "price": "12.00", "product": {"status": "ACTIVE"}}]
