"""The clock moves for everyone who reads its file, and the test world holds exactly what the examples say."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.simulator.clock import SimClock
from gateway.simulator.shop import UnknownThing
from gateway.simulator.world import World, open_known_return


def test_a_clock_without_a_file_moves_in_memory():
    clock = SimClock()
    before = clock.now()
    clock.advance(3600)
    assert timedelta(minutes=59) < clock.now() - before < timedelta(minutes=61)


def test_two_clocks_on_one_file_move_together(tmp_path: Path):
    file = tmp_path / "clock" / "offset"
    one, other = SimClock(file), SimClock(file)
    assert other.offset() == 0
    one.advance(86400)
    one.advance(-400)
    assert other.offset() == 86000
    assert [path.name for path in file.parent.iterdir()] == ["offset"]


def test_a_clock_can_be_moved_to_an_instant():
    clock = SimClock()
    clock.move_to(datetime(2027, 3, 14, 6, 59, tzinfo=UTC))
    assert clock.now().strftime("%Y-%m-%d %H:%M") == "2027-03-14 06:59"


def test_the_test_world_has_its_items_orders_and_stock(world: World):
    assert world.item("SOCK-WHT-OS").upc == "084000010085"
    assert {world.available(sku, place) for sku in world.items for place in (7001, 7002, 7003)} == {10}
    assert [order.name for order in world.orders.values()] == ["#1001", "#1002", "#1003", "#1004", "#1005", "#1006"]
    assert world.order("#1001").id == 5000001001
    assert world.order("#1001").transactions[0].amount == Decimal("148.40")
    cap = world.order("#1005").lines[1]
    assert (world.order("#1005").shipped(cap.id), world.order("#1006").fulfilments) == (0, [])


@pytest.mark.parametrize(("rma", "value"), [(77000001, "140.40"), (77000002, "129.60"), (77000003, "135.00"), (77000004, "75.60")])
def test_the_known_returns_have_their_values(world: World, rma: int, value: str):
    assert open_known_return(world, rma).value == Decimal(value)


def test_money_of_a_return_balances(world: World):
    """Goods + upsell + bonus = refund + store credit + exchange + fee, whatever the outcome."""
    tee = [(1, "TEE-BLK-M")]
    dress = [(2, "DRS-RED-6")]
    more = {"price": "140.00", "tax": "11.20"}
    cases = [
        world.open_return(1, "#1001", tee, 501, handling_fee="7.95"),
        world.open_return(2, "#1002", dress, 501, outcome="upsell", exchanges=[("DRS-RED-8", more)]),
        world.open_return(3, "#1002", dress, 501, outcome="exchange+refund", exchanges=["CAP-NVY-OS"]),
        world.open_return(4, "#1002", dress, 501, outcome="credit", bonus_credit="10.00"),
    ]
    for ret in cases:
        given = ret.refund + ret.gift_card + ret.exchange_total + ret.handling_fee
        assert ret.value + ret.upsell + ret.bonus_credit == given
    assert [str(ret.refund) for ret in cases] == ["24.45", "0.00", "102.60", "0.00"]
    assert (str(cases[1].upsell), str(cases[3].gift_card)) == ("21.60", "139.60")


def test_a_unit_may_have_been_paid_less_than_its_twin(world: World):
    units = [(810001, "TEE-BLK-M"), (810002, "TEE-BLK-M", {"discount": "6.00"})]
    ret = world.open_return(77000005, "#1001", units, 501)
    assert [str(unit.value) for unit in ret.units] == ["32.40", "25.92"]


def test_a_discounted_order_gives_its_discount_to_its_units(world: World):
    world.add_order(5000001010, "#1010", [("TEE-BLK-M", 2)], discount={"percentage": 20, "code": "SAVE20"})
    ret = world.open_return(77000010, "#1010", [(1, "TEE-BLK-M")], 501)
    assert (str(ret.units[0].net), str(ret.units[0].tax)) == ("24.00", "1.92")


def test_what_is_not_there_is_named(world: World):
    with pytest.raises(UnknownThing, match="no line SOCK-WHT-OS on order #1001"):
        world.open_return(5, "#1001", [(1, "SOCK-WHT-OS")], 501)
    with pytest.raises(UnknownThing, match="no return 99"):
        world.return_(99)
