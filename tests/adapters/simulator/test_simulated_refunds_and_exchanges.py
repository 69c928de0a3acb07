"""What processing a return leaves in Shopify: the refund, the stock and the exchange order, to the cent."""

from decimal import Decimal

import pytest

from gateway.simulator.shop import calculated
from gateway.simulator.world import World, open_known_return


def process(world: World, ask, rma: int, **details: str) -> None:
    assert ask.act(rma, "process", json=details).json() is True
    world.let_pass(1)


def test_a_standard_return_refunds_and_restocks(returns: World, ask):
    process(returns, ask, 77000001)
    refund = returns.refunds[6100001]
    assert [(line.quantity, line.restock_type, line.location_id) for line in refund.lines] == [
        (2, "RETURN", 7001),
        (1, "RETURN", 7001),
    ]
    assert (refund.goods, refund.paid, refund.adjustments) == (Decimal("140.40"), Decimal("140.40"), [])
    assert [returns.available(sku, 7001) for sku in ("TEE-BLK-M", "HOOD-GRY-M")] == [12, 11]
    assert "Refund" in returns.order("#1001").tags


def test_an_even_exchange_moves_no_money(returns: World, ask):
    process(returns, ask, 77000002, Receipt="WR5502")
    refund, order = returns.refunds[6100002], returns.order("EXC-1002")
    assert (refund.transactions, refund.adjustments[0].amount) == ([], Decimal("129.60"))
    assert calculated(refund, returns.order("#1002")) == 0
    assert [(line.item.sku, line.price, line.tax) for line in order.lines] == [("DRS-RED-8", Decimal("120.00"), Decimal("9.60"))]
    assert [(t.kind, t.amount) for t in order.transactions] == [("SALE", Decimal("129.60"))]
    assert (order.tags, order.custom_attributes, order.source_name) == (["1002"], {"Receipt": "WR5502"}, "Loop Exchange")
    found = ask.details(77000002)
    assert (found["exchange_order_name"], found["exchanges"][0]["exchange_order_id"]) == ("EXC-1002", str(order.id))
    assert [returns.available(sku, 7001) for sku in ("DRS-RED-6", "DRS-RED-8")] == [11, 9]
    assert returns.stock("DRS-RED-8", 7001).read("on_hand") == 10


def test_with_loop_discount_the_goods_are_discounted_and_the_tax_stays_open(returns: World, ask):
    returns.settings.loop_discount = True
    process(returns, ask, 77000002)
    order = returns.order("EXC-1002")
    assert [(one.kind, one.title, one.amount) for one in order.discounts] == [("code", "loop-discount", Decimal("120.00"))]
    assert (order.lines[0].discount, order.lines[0].tax, order.transactions) == (Decimal("120.00"), Decimal("9.60"), [])


def test_an_exchange_for_more_collects_the_difference(world: World, ask):
    more = ("DRS-RED-8", {"price": "140.00", "tax": "11.20"})
    world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="upsell", exchanges=[more])
    process(world, ask, 77000002)
    sales = [(t.gateway, str(t.amount)) for t in world.order("EXC-1002").transactions]
    assert sales == [("manual", "129.60"), ("shopify_payments", "21.60")]
    assert str(world.refunds[6100002].adjustments[0].amount) == "129.60"


def test_an_exchange_for_less_refunds_the_difference(world: World, ask):
    unit = [(820001, "DRS-RED-6")]
    world.open_return(77000002, "#1002", unit, 501, outcome="exchange+refund", exchanges=["CAP-NVY-OS"])
    process(world, ask, 77000002)
    refund = world.refunds[6100002]
    assert (str(refund.paid), str(refund.adjustments[0].amount)) == ("102.60", "27.00")


def test_store_credit_is_a_refund_without_money(world: World, ask):
    world.open_return(77000002, "#1002", [(820001, "DRS-RED-6")], 501, outcome="credit")
    process(world, ask, 77000002)
    refund = world.refunds[6100002]
    assert (refund.transactions, str(refund.adjustments[0].amount), ask.details(77000002)["gift_card"]) == ([], "129.60", "129.60")
    assert world.available("DRS-RED-6", 7001) == 11


def test_a_fee_is_kept_back(world: World, ask):
    world.open_return(77000009, "#1001", [(1, "TEE-BLK-M")], 501, handling_fee="7.95")
    process(world, ask, 77000009)
    refund = world.refunds[6200001]
    assert (str(refund.goods), str(refund.paid), str(refund.adjustments[0].amount)) == ("32.40", "24.45", "7.95")


def test_native_exchanges_add_to_the_original_order(world: World, ask):
    world.settings.native_exchanges = True
    open_known_return(world, 77000002)
    process(world, ask, 77000002)
    assert [line.item.sku for line in world.order("#1002").lines] == ["DRS-RED-6", "DRS-RED-8"]
    assert ask.details(77000002)["exchange_order_name"] == "#1002"
    assert len(world.orders) == 6


def test_an_instant_exchange_has_its_order_before_the_goods_come(world: World, ask):
    unit = [(820001, "DRS-RED-6")]
    world.open_return(77000002, "#1002", unit, 501, outcome="exchange", exchanges=["DRS-RED-8"], instant_exchange=True)
    assert ask.details(77000002)["exchange_order_name"] == "EXC-1002"
    process(world, ask, 77000002)
    assert len([order for order in world.orders.values() if order.name.startswith("EXC")]) == 1


def test_a_two_step_refund_nets_out(world: World, ask):
    world.open_return(77000004, "#1004", [(840001, "HOOD-GRY-M")], 501, two_step=True)
    process(world, ask, 77000004)
    goods, money = (world.refunds[number] for number in world.return_(77000004).refund_ids)
    assert (str(goods.goods), str(goods.paid), str(goods.adjustments[0].amount)) == ("75.60", "0.00", "75.60")
    assert (money.lines, str(money.paid), str(money.adjustments[0].amount)) == ([], "75.60", "-75.60")


def test_a_refund_may_be_split_over_gateways(world: World, ask):
    parts = [("shopify_payments", "50.00"), ("gift_card", "25.60")]
    world.open_return(77000004, "#1004", [(840001, "HOOD-GRY-M")], 501, gateways=parts)
    process(world, ask, 77000004)
    assert [(one["gateway"], one["amount"]) for one in ask.details(77000004)["refunds"]] == parts


def test_kept_units_are_refunded_without_stock(world: World, ask):
    world.open_return(77000003, "#1003", [(830003, "CAP-NVY-OS", {"keep": True})], 501)
    process(world, ask, 77000003)
    assert world.refunds[6100003].lines[0].restock_type == "NO_RESTOCK"
    assert world.available("CAP-NVY-OS", 7001) == 10


def test_units_go_back_where_their_box_went(world: World, ask):
    units = [(1, "TEE-BLK-M"), (2, "HOOD-GRY-M", {"destination_id": 502})]
    world.open_return(77000001, "#1001", units, 501)
    process(world, ask, 77000001)
    assert (world.available("TEE-BLK-M", 7001), world.available("HOOD-GRY-M", 7002)) == (11, 11)


def test_a_direct_refund_of_a_line_that_never_shipped(world: World):
    lines = [("HOOD-GRY-M", 1, "RETURN"), ("CAP-NVY-OS", 1, "CANCEL")]
    refund = world.refund("#1005", lines=lines, refund_id=6100005)
    assert (refund.id, str(refund.paid)) == (6100005, "102.60")
    assert (world.available("HOOD-GRY-M", 7001), world.available("CAP-NVY-OS", 7001)) == (11, 10)
    assert world.order("#1005").lines[1].released == 1


def test_a_cancelled_order_is_refunded(world: World):
    world.cancel_order("#1006")
    refund = world.refund("#1006", lines=[("DRS-RED-6", 1, "CANCEL")])
    assert (str(refund.paid), world.available("DRS-RED-6", 7001)) == ("129.60", 10)


def test_a_refund_of_shipping_only(world: World):
    refund = world.refund("#1001", shipping="8.00")
    assert (refund.lines, str(refund.paid), str(refund.shipping[0].subtotal)) == ([], "8.00", "8.00")


def test_a_later_transaction_touches_refund_and_order(world: World):
    refund = world.refund("#1001", lines=[("TEE-BLK-M", 1, "RETURN")], transactions=[("paypal", "32.40", "PENDING")])
    before = world.order("#1001").updated_at
    world.clock.advance(60)
    world.settle_transaction(refund.id)
    world.add_transaction(refund.id, "manual", "1.00")
    assert (str(refund.paid), refund.updated_at > before) == ("33.40", True)
    assert world.order("#1001").updated_at == refund.updated_at


@pytest.mark.parametrize("quantity", [1, 2])
def test_part_of_a_line_is_refunded_in_proportion(world: World, quantity: int):
    world.add_order(5000001010, "#1010", [("TEE-BLK-M", 2)], discount={"percentage": 20})
    refund = world.refund("#1010", lines=[("TEE-BLK-M", quantity, "RETURN")])
    assert str(refund.goods) == ("25.92" if quantity == 1 else "51.84")
