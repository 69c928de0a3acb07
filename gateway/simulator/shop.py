"""Shopify's side of the simulated world: orders, refunds and stock, and what a refund does to them.

Rules kept here: a refund moves the order's `updatedAt`; a line of type RETURN adds to `available` at its location, NO_RESTOCK
and CANCEL do not (CANCEL releases what the order had committed); a refund's money is the sum of its transactions, and what
the goods were worth beyond it is an adjustment in the merchant's favour.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import NotRequired, TypedDict, Unpack

from gateway.simulator import model
from gateway.simulator.clock import SimClock
from gateway.simulator.model import ZERO, money

TAX_RATE = Decimal("0.08")


class UnknownThing(LookupError):
    """The simulated world holds nothing under that number or name."""


class RefundDetails(TypedDict):
    """What may be said about a refund made directly in Shopify; see `Shop.refund`."""

    lines: NotRequired[Sequence[Sequence[object]]]
    shipping: NotRequired[object]
    transactions: NotRequired[Sequence[Sequence[object]] | None]
    adjustments: NotRequired[Sequence[Sequence[object]]]
    refund_id: NotRequired[int | None]
    note: NotRequired[str | None]
    at: NotRequired[datetime]
    return_id: NotRequired[int | None]
    duties: NotRequired[Sequence[object]]
    rounding: NotRequired[object]


class OrderDetails(TypedDict):
    """What may be said about an order beyond its lines; see `Shop.add_order`."""

    shipped: NotRequired[bool]
    location: NotRequired[int]
    shipping: NotRequired[object]
    created_at: NotRequired[datetime]
    email: NotRequired[str]
    currency: NotRequired[str]
    presentment: NotRequired[tuple[str, object]]
    discount: NotRequired[Mapping[str, object]]
    test: NotRequired[bool]
    tags: NotRequired[Sequence[str]]
    gateway: NotRequired[str]


class Shop:
    """Items, locations, orders, refunds and stock of one shop."""

    def __init__(self, clock: SimClock, seed: int = 1) -> None:
        self.clock = clock
        self.seed = seed
        self.lock = threading.RLock()
        self.tax_rate = TAX_RATE
        self.items: dict[str, model.Item] = {}
        self.locations: dict[int, model.Location] = {}
        self.levels: dict[tuple[int, int], model.Level] = {}
        self.orders: dict[int, model.Order] = {}
        self.refunds: dict[int, model.Refund] = {}
        self._order_ids: dict[str, int] = {}
        self._refunds_by_order: dict[int, list[model.Refund]] = {}
        self.native_returns: dict[int, model.NativeReturn] = {}
        self.stock_history: list[dict[str, object]] = []
        self._numbers: Iterator[int] = iter(range(9_000_000_001, 10_000_000_000))
        self._refund_numbers: Iterator[int] = iter(range(6_200_001, 6_300_000))

    # What is in the shop

    def number(self) -> int:
        """A number not used before, for things nobody names."""
        return next(self._numbers)

    def refund_number(self) -> int:
        return next(self._refund_numbers)

    def now(self) -> datetime:
        """The simulated time at whole seconds, as both services print it."""
        return self.clock.now().replace(microsecond=0)

    def add_item(self, sku: str, upc: str, price: object, **more: object) -> model.Item:
        """Put an item on sale; `more` are fields of `model.Item`."""
        with self.lock:
            place = len(self.items) + 1
            fields: dict[str, object] = {
                "title": sku,
                "variant_title": None,
                "product_id": 8_000_000_000 + place,
                "variant_id": 4_400_000_000 + place,
                "inventory_item_id": 3_000_000_000 + place,
            }
            item = model.Item(sku=sku, upc=upc, price=money(str(price)), **{**fields, **more})  # type: ignore[arg-type]  # fields by name
            self.items[sku] = item
            return item

    def add_location(self, location_id: int, name: str, **address: str | None) -> model.Location:
        with self.lock:
            self.locations[location_id] = model.Location(location_id, name, address=dict(address))
            return self.locations[location_id]

    def stock(self, sku: str, location_id: int) -> model.Level:
        """The stock level of an item at a location, made with zeroes when it is not there yet."""
        with self.lock:
            key = (self.item(sku).inventory_item_id, location_id)
            if key not in self.levels:
                self.levels[key] = model.Level({"available": 0}, self.now())
            return self.levels[key]

    def set_stock(self, sku: str, location_id: int, quantity: int, name: str = "available") -> None:
        level = self.stock(sku, location_id)
        with self.lock:
            level.add(name, quantity - level.read(name), self.now())

    def available(self, sku: str, location_id: int) -> int:
        return self.stock(sku, location_id).read("available")

    def item(self, sku: str) -> model.Item:
        if sku not in self.items:
            raise UnknownThing(f"no item {sku}")
        return self.items[sku]

    def order(self, name: str | int) -> model.Order:
        """An order by its name (`#1001` or `1001`) or its id."""
        number = name if isinstance(name, int) else self._order_ids.get(name.lstrip("#"))
        if number not in self.orders:
            raise UnknownThing(f"no order {name}")
        return self.orders[number]

    def has_order(self, name: str) -> bool:
        return name.lstrip("#") in self._order_ids

    def book_order(self, order: model.Order) -> None:
        """File an order under its id and its name."""
        self.orders[order.id] = order
        self._order_ids.setdefault(order.name.lstrip("#"), order.id)

    # Orders

    def add_order(self, order_id: int, name: str, lines: Sequence[tuple[str, int]], **details: Unpack[OrderDetails]) -> model.Order:
        """Place an order of (sku, quantity) lines, paid, and shipped from `location` unless `shipped` is false.

        `discount` is {"percentage": 20, "code": "SUMMER"} or {"amount": "10.00", ...}; `presentment` is (currency, rate).
        """
        with self.lock:
            at = details.get("created_at", self.now())
            email = details.get("email", f"shopper.{order_id}@example.com")
            order = model.Order(order_id, name, int("".join(filter(str.isdigit, name)) or 0), at, at, [], email=email)
            order.test = details.get("test", False)
            order.tags = list(details.get("tags", ()))
            order.currency = details.get("currency", "USD")
            currency, rate = details.get("presentment", (order.currency, 1))
            order.presentment_currency, order.rate = currency, Decimal(str(rate))
            order.lines = [self._order_line(order, place, sku, count) for place, (sku, count) in enumerate(lines, 1)]
            if "discount" in details:
                self._spread_discount(order, details["discount"])
            if details.get("shipping"):
                fee = money(str(details["shipping"]))
                order.shipping.append(model.ShippingLine(order_id * 10 + 9, "Standard", fee))
            order.address = _address_of(order_id)
            paid = order_total(order)
            sale = model.Transaction(self.number(), "SALE", "SUCCESS", details.get("gateway", "shopify_payments"), paid, at)
            order.transactions.append(sale)
            self.book_order(order)
            if details.get("shipped", True):
                self.ship(order.name, location=details.get("location"), at=at)
            return order

    def ship(
        self,
        name: str,
        quantities: Mapping[str, int] | None = None,
        *,
        location: int | None = None,
        at: datetime | None = None,
    ) -> model.Fulfilment:
        """Ship an order: all of it, or so many units per SKU."""
        with self.lock:
            order, at = self.order(name), at or self.now()
            wanted = quantities if quantities is not None else {line.item.sku: line.quantity for line in order.lines}
            parts = []
            for line in order.lines:
                count = min(wanted.get(line.item.sku, 0), line.quantity - order.shipped(line.id))
                if count > 0:
                    parts.append(model.FulfilmentLine(self.number(), line.id, count))
            place = location or next(iter(self.locations))
            fulfilment = model.Fulfilment(self.number(), at, place, parts)
            order.fulfilments.append(fulfilment)
            order.updated_at = max(order.updated_at, at)
            return fulfilment

    def cancel_order(self, name: str, reason: str = "CUSTOMER") -> None:
        with self.lock:
            order = self.order(name)
            order.cancelled_at = order.updated_at = self.now()
            order.cancel_reason = reason

    # Refunds

    def refund(self, name: str, **details: Unpack[RefundDetails]) -> model.Refund:
        """Refund directly in Shopify.

        `lines` are (sku, quantity, restock type[, {"subtotal", "tax", "location", "line_id"}]); `transactions` are (gateway,
        amount[, status]) and default to one success over everything; `adjustments` are (amount[, reason]); `shipping` is the
        amount given back, `duties` are amounts, `rounding` is what cash rounding adds to each transaction.
        """
        with self.lock:
            order, at = self.order(name), details.get("at") or self.now()
            number = details.get("refund_id") or self.refund_number()
            refund = model.Refund(number, order.id, at, at, at, details.get("note"), return_id=details.get("return_id"))
            refund.lines = [self._refund_line(order, line) for line in details.get("lines", ())]
            refund.adjustments = [self._adjustment(part) for part in details.get("adjustments", ())]
            if details.get("shipping"):
                amount = money(str(details["shipping"]))
                line_id = order.shipping[0].id if order.shipping else self.number()
                refund.shipping.append(model.RefundShipping(self.number(), line_id, amount, ZERO))
            refund.duties = [(self.number(), money(str(amount))) for amount in details.get("duties", ())]
            asked = details.get("transactions")
            if asked is None:
                due = calculated(refund, order)
                asked = [("shopify_payments", due)] if due > 0 else []
            for part in asked:
                refund.transactions.append(self._transaction(order, part, at))
                refund.transactions[-1].rounding = money(str(details["rounding"])) if "rounding" in details else None
            self.book_refund(order, refund)
            return refund

    def book_refund(self, order: model.Order, refund: model.Refund) -> None:
        """File a refund and do what Shopify does with its lines."""
        self.refunds[refund.id] = refund
        self._refunds_by_order.setdefault(order.id, []).append(refund)
        order.updated_at = max(order.updated_at, refund.updated_at)
        for part in refund.lines:
            line = next(line for line in order.lines if line.id == part.line_id)
            line.current_quantity -= part.quantity
            if part.restock_type == "CANCEL":
                self._release(line, part.quantity, refund.created_at)
            elif part.restocked and part.location_id is not None and line.item.tracked:
                self.move_stock(line.item, part.location_id, part.quantity, f"refund {refund.id}", at=refund.created_at)

    def move_stock(self, item: model.Item, location_id: int, delta: int, cause: str, *, at: datetime, name: str = "available") -> None:
        """Change a quantity and remember why."""
        level = self.stock(item.sku, location_id)
        level.add(name, delta, at)
        after = level.read(name)
        entry = {"at": at, "sku": item.sku, "location": location_id, "name": name, "delta": delta, "after": after}
        self.stock_history.append({**entry, "cause": cause})

    def add_transaction(self, refund_id: int, gateway: str, amount: object, status: str = "SUCCESS") -> model.Transaction:
        """A transaction that comes later on an existing refund; moves the refund's and the order's `updatedAt`."""
        with self.lock:
            refund = self.refunds[refund_id]
            order, at = self.orders[refund.order_id], self.now()
            transaction = self._transaction(order, (gateway, amount, status), at)
            refund.transactions.append(transaction)
            refund.updated_at = order.updated_at = at
            return transaction

    def settle_transaction(self, refund_id: int, status: str = "SUCCESS") -> None:
        """Let the pending transactions of a refund end in `status`."""
        with self.lock:
            refund = self.refunds[refund_id]
            for transaction in refund.transactions:
                if transaction.status == "PENDING":
                    transaction.status = status
            refund.updated_at = self.orders[refund.order_id].updated_at = self.now()

    def refunds_of(self, order: model.Order) -> list[model.Refund]:
        return sorted(self._refunds_by_order.get(order.id, []), key=lambda r: (r.created_at, r.id))

    def native_return(self, name: str, lines: Sequence[tuple[str, int, str, int | None]], return_id: int) -> model.NativeReturn:
        """A return in Shopify's own process, of (sku, quantity, disposition type, location) lines."""
        with self.lock:
            order, at = self.order(name), self.now()
            made = []
            for sku, quantity, kind, location in lines:
                line = next(line for line in order.lines if line.item.sku == sku)
                part = next(p for f in order.fulfilments for p in f.lines if p.line_id == line.id)
                goods = model.Disposition(self.number(), kind, quantity, at, location)
                made.append(model.NativeReturnLine(self.number(), part.id, quantity, [goods]))
            count = 1 + sum(1 for other in self.native_returns.values() if other.order_id == order.id)
            found = model.NativeReturn(return_id, order.id, f"{order.name}-R{count}", at, made)
            self.native_returns[return_id] = found
            order.updated_at = at
            return found

    def _order_line(self, order: model.Order, place: int, sku: str, quantity: int) -> model.OrderLine:
        item = self.item(sku)
        tax = money(item.price * self.tax_rate) * quantity
        line_id = order.id * 10 + place
        return model.OrderLine(line_id, item, quantity, item.price, tax, current_quantity=quantity)

    def _spread_discount(self, order: model.Order, wanted: Mapping[str, object]) -> None:
        code = str(wanted.get("code", "SAVE"))
        gross = sum((line.gross for line in order.lines), ZERO)
        share = wanted.get("percentage")
        amount = money(gross * Decimal(str(share)) / 100) if share is not None else money(str(wanted["amount"]))
        percentage = float(str(share)) if share is not None else None
        application = model.Discount(len(order.discounts), "code", code, None if share is not None else amount, percentage)
        order.discounts.append(application)
        self.allocate(order, application, amount)
        for line in order.lines:
            line.tax = ((line.gross - line.discount) * self.tax_rate).quantize(model.CENT, ROUND_HALF_UP)

    def allocate(self, order: model.Order, application: model.Discount, amount: Decimal) -> None:
        """Spread a discount over the lines by value; the last line takes the odd cent."""
        left, gross = amount, sum((line.gross for line in order.lines), ZERO)
        for line in order.lines:
            last = line is order.lines[-1]
            part = left if last else min(left, money(amount * line.gross / gross))
            line.allocations.append(model.Allocation(application.index, part))
            left -= part

    def _refund_line(self, order: model.Order, asked: Sequence[object]) -> model.RefundLine:
        sku, quantity, restock_type = str(asked[0]), int(str(asked[1])), str(asked[2]).upper()
        options = dict(asked[3]) if len(asked) > 3 and isinstance(asked[3], Mapping) else {}
        matches = (n for n in order.lines if n.item.sku == sku and options.get("line_id", n.id) == n.id)
        line = next(matches, None)
        if line is None:
            raise UnknownThing(f"no line {sku} on order {order.name}")
        net = (line.gross - line.discount) * quantity / line.quantity
        subtotal = money(str(options.get("subtotal", net)))
        tax = money(str(options.get("tax", line.tax * quantity / line.quantity)))
        location = options.get("location")
        if location is None and restock_type != "NO_RESTOCK":
            location = order.fulfilments[0].location_id if order.fulfilments else next(iter(self.locations), None)
        place = None if location is None else int(str(location))
        return model.RefundLine(self.number(), line.id, quantity, restock_type, place, subtotal, tax)

    def _adjustment(self, asked: Sequence[object]) -> model.Adjustment:
        reason = str(asked[1]) if len(asked) > 1 and asked[1] is not None else "REFUND_DISCREPANCY"
        return model.Adjustment(self.number(), reason, money(str(asked[0])))

    def _transaction(self, order: model.Order, asked: Sequence[object], at: datetime) -> model.Transaction:
        status = str(asked[2]) if len(asked) > 2 else "SUCCESS"
        parent = next((t.id for t in order.transactions if t.kind == "SALE"), None)
        failed = "GENERIC_ERROR" if status in ("FAILURE", "ERROR") else None
        return model.Transaction(self.number(), "REFUND", status, str(asked[0]), money(str(asked[1])), at, parent, error_code=failed)

    def _release(self, line: model.OrderLine, quantity: int, at: datetime) -> None:
        line.released += quantity
        if line.committed_at is not None:
            cause = f"cancelled line {line.id}"
            self.move_stock(line.item, line.committed_at, -quantity, cause, at=at, name="committed")
            self.move_stock(line.item, line.committed_at, quantity, cause, at=at)


def order_total(order: model.Order) -> Decimal:
    """What the shopper owes for an order: goods less discounts, tax and shipping."""
    goods = sum((line.gross - line.discount + line.tax for line in order.lines), ZERO)
    return goods + sum((line.price + line.tax for line in order.shipping), ZERO)


def calculated(refund: model.Refund, order: model.Order) -> Decimal:
    """What a refund should pay out: goods, shipping, duties, less adjustments."""
    goods = sum((line.subtotal for line in refund.lines), ZERO)
    if not order.taxes_included:
        goods += sum((line.tax for line in refund.lines), ZERO)
    shipping = sum((line.subtotal + line.tax for line in refund.shipping), ZERO)
    duties = sum((amount for _, amount in refund.duties), ZERO)
    return goods + shipping + duties - sum((part.amount + part.tax for part in refund.adjustments), ZERO)


def _address_of(order_id: int) -> dict[str, str | None]:
    return {
        "name": f"Shopper {order_id % 10_000}",
        "company": None,
        "address1": f"{order_id % 900 + 1} Harbor Lane",
        "address2": None,
        "city": "Portland",
        "provinceCode": "ME",
        "zip": "04101",
        "countryCodeV2": "US",
        "phone": None,
    }
