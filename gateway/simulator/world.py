"""The whole simulated world: one merchant's shop in Shopify and its returns in Loop.

`harbor_and_pine` fills a world with the merchant that documentation and tests speak of: three warehouses, eight items, six
orders. The four returns on its orders are opened one by one, by `open_known_return`.
"""

from datetime import timedelta

from gateway.simulator import loop_model
from gateway.simulator.returns import Returns

SHOP = {"id": 700, "name": "Harbor & Pine", "domain": "harbor-and-pine.myshopify.com", "timezone": "America/New_York"}

ITEMS = (
    ("TEE-BLK-S", "840000100016", "30.00", "Everyday Tee", "Black / S"),
    ("TEE-BLK-M", "840000100023", "30.00", "Everyday Tee", "Black / M"),
    ("TEE-BLK-L", "840000100030", "30.00", "Everyday Tee", "Black / L"),
    ("HOOD-GRY-M", "840000100047", "70.00", "Harbor Hoodie", "Grey / M"),
    ("DRS-RED-6", "840000100054", "120.00", "Pine Dress", "Red / 6"),
    ("DRS-RED-8", "840000100061", "120.00", "Pine Dress", "Red / 8"),
    ("CAP-NVY-OS", "840000100078", "25.00", "Dock Cap", "Navy"),
    ("SOCK-WHT-OS", "084000010085", "12.00", "Crew Sock", "White"),
)
WAREHOUSES = (
    (501, 7001, "NJ1", {"address1": "1 Port Street", "city": "Newark", "provinceCode": "NJ", "zip": "07114"}),
    (502, 7002, "LA1", {"address1": "2 Harbor Drive", "city": "Los Angeles", "provinceCode": "CA", "zip": "90021"}),
    (503, 7003, "TX1", {"address1": "3 Freight Road", "city": "Dallas", "provinceCode": "TX", "zip": "75201"}),
)
ORDERS = (
    (5000001001, "#1001", (("TEE-BLK-M", 2), ("HOOD-GRY-M", 1))),
    (5000001002, "#1002", (("DRS-RED-6", 1),)),
    (5000001003, "#1003", (("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 1))),
    (5000001004, "#1004", (("HOOD-GRY-M", 1),)),
    (5000001005, "#1005", (("HOOD-GRY-M", 1), ("CAP-NVY-OS", 1))),
    (5000001006, "#1006", (("DRS-RED-6", 1),)),
)
SHIPPED = {"#1005": {"HOOD-GRY-M": 1}, "#1006": {}}
REFUND_IDS = {77000001: 6100001, 77000002: 6100002, 77000003: 6100003, 77000004: 6100004}
KNOWN_RETURNS: dict[int, tuple[str, tuple[tuple[int, str], ...]]] = {
    77000001: ("#1001", ((810001, "TEE-BLK-M"), (810002, "TEE-BLK-M"), (810003, "HOOD-GRY-M"))),
    77000002: ("#1002", ((820001, "DRS-RED-6"),)),
    77000003: ("#1003", ((830001, "TEE-BLK-M"), (830002, "HOOD-GRY-M"), (830003, "CAP-NVY-OS"))),
    77000004: ("#1004", ((840001, "HOOD-GRY-M"),)),
}


class World(Returns):
    """One merchant's Loop and Shopify; every method may be called from any thread."""

    def snapshot(self) -> dict[str, object]:
        """What a person would look up first: returns, refunds, orders and stock, in plain values."""
        with self.lock:
            self.settle()
            return {
                "now": self.clock.now().isoformat(),
                "returns": [self._return_row(ret) for ret in self.returns.values()],
                "refunds": [
                    {"id": r.id, "order": self.orders[r.order_id].name, "goods": str(r.goods), "paid": str(r.paid)} for r in self.refunds.values()
                ],
                "orders": [{"id": o.id, "name": o.name, "tags": o.tags} for o in self.orders.values()],
                "available": {str(place): self._available(place) for place in self.locations},
            }

    def _return_row(self, ret: loop_model.LoopReturn) -> dict[str, object]:
        return {
            "id": ret.id,
            "order": self.orders[ret.order_id].name,
            "state": ret.state,
            "flagged": ret.flagged,
            "queued": ret.processing is not None,
            "outcome": ret.outcome,
            "units": [[unit.line_item_id, unit.item.sku] for unit in ret.units],
            "notes": [note.content for note in ret.notes],
            "refunds": ret.refund_ids,
            "exchange_order_name": ret.exchange_order_name,
        }

    def _available(self, location_id: int) -> dict[str, int]:
        return {sku: self.available(sku, location_id) for sku in self.items}


def harbor_and_pine(world: World, opening_stock: int = 10) -> World:
    """Fill a world with Harbor & Pine: the test world that every example and test uses."""
    for sku, upc, price, title, variant in ITEMS:
        world.add_item(sku, upc, price, title=title, variant_title=variant)
    for destination, location, name, address in WAREHOUSES:
        world.add_location(location, name, countryCode="US", **address)
        world.add_destination(destination, name, location)
        for sku in world.items:
            world.set_stock(sku, location, opening_stock)
    placed_at = world.now() - timedelta(days=20)
    for order_id, name, lines in ORDERS:
        shipping = "8.00" if name == "#1001" else None
        world.add_order(order_id, name, lines, shipped=False, shipping=shipping, created_at=placed_at)
        if SHIPPED.get(name, True):
            world.ship(name, SHIPPED.get(name), location=7001, at=placed_at + timedelta(days=1))
    world.refund_ids.update(REFUND_IDS)
    return world


def open_known_return(world: World, rma: int, destination: int = 501) -> loop_model.LoopReturn:
    """Open one of the four returns of the test world: 77000001 to 77000004."""
    order_name, units = KNOWN_RETURNS[rma]
    if rma == 77000002:
        return world.open_return(rma, order_name, units, destination, outcome="exchange", exchanges=["DRS-RED-8"])
    return world.open_return(rma, order_name, units, destination)
