"""Loop's side of the simulated world: returns and their life.

    open --process--> (queued) --> closed     with a refund in Shopify and, for an exchange, an exchange order
    open --remove some--> (queued) --> closed; --remove all--> cancelled
    open --flag--> review (or open and flagged); a person's review leads to closed or back to open
    open --close--> closed without outcomes; --cancel--> cancelled; label never moved --> expired

Processing is asynchronous: it falls due `processing_delay` seconds of simulated time after it was accepted, and is carried out
at the next look at the world (`settle`, which every request calls first) with the time at which it fell due.
Source: https://docs.loopreturns.com/integration-guides/return-actions
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict, Unpack

from gateway.simulator import loop_model, model, settling
from gateway.simulator.clock import SimClock
from gateway.simulator.model import money
from gateway.simulator.shop import Shop, UnknownThing


@dataclass
class Settings:
    """How this merchant's Loop is set up."""

    processing_delay: float = 0.3
    flag_leaves_open: bool = False
    allow_flagged: bool = False
    loop_discount: bool = False
    native_exchanges: bool = False
    exchange_prefix: str = "EXC-"
    commits_stock: bool = True
    refund_notes: bool = True
    webhooks: list[str] = field(default_factory=list)


class ReturnDetails(TypedDict):
    """What may be said about a return beyond its units; see `Returns.open_return`."""

    outcome: NotRequired[str]
    exchanges: NotRequired[Sequence[object]]
    handling_fee: NotRequired[object]
    gift_card: NotRequired[object]
    bonus_credit: NotRequired[object]
    state: NotRequired[str]
    flagged: NotRequired[bool]
    created_at: NotRequired[datetime | str]
    labels: NotRequired[Sequence[Mapping[str, object]]]
    restock: NotRequired[bool]
    instant_exchange: NotRequired[bool]
    gateways: NotRequired[Sequence[tuple[str, object]]]
    two_step: NotRequired[bool]
    return_method: NotRequired[dict[str, object] | None]
    package_reference: NotRequired[str | None]


class Returns(Shop):
    """The returns of one Loop shop, what the API may do with them and what a person in Loop Admin may."""

    def __init__(self, clock: SimClock, seed: int = 1) -> None:
        super().__init__(clock, seed)
        self.settings = Settings()
        self.destinations: dict[int, loop_model.Destination] = {}
        self.returns: dict[int, loop_model.LoopReturn] = {}
        self.refund_ids: dict[int, int] = {}
        self.events: list[loop_model.Event] = []

    def add_destination(self, destination_id: int, name: str, location_id: int | None, type: str = "warehouse") -> None:
        with self.lock:
            self.destinations[destination_id] = loop_model.Destination(destination_id, name, location_id, type)

    def return_(self, rma: int | str) -> loop_model.LoopReturn:
        """A return by its RMA number, with everything due carried out."""
        self.settle()
        if int(rma) not in self.returns:
            raise UnknownThing(f"no return {rma}")
        return self.returns[int(rma)]

    def open_return(
        self,
        rma: int,
        order_name: str,
        units: Iterable[Sequence[object]],
        destination: int | None = None,
        **details: Unpack[ReturnDetails],
    ) -> loop_model.LoopReturn:
        """A shopper submits a return.

        `units` are (line_item_id, sku[, options]); options are fields of `loop_model.Unit` (price, discount, tax, keep, outcome,
        destination_id, reason, comment, ...). `exchanges` are SKUs or (sku, options) with price, discount, tax, exchange_id or
        out_of_stock. `labels` are {"tracking_number", "carrier", "status", "line_item_ids"}; left out, one label covers all
        units that are not kept. `bonus_credit` is what the merchant adds for an exchange or store credit.
        """
        with self.lock:
            order, at = self.order(order_name), _instant(details.get("created_at")) or self.now()
            ret = loop_model.LoopReturn(int(rma), order.id, [], at, at, destination_id=destination)
            ret.outcome = details.get("outcome", "refund")
            ret.state = details.get("state", "open")
            ret.flagged = details.get("flagged", ret.state == "review")
            ret.units = [self._unit(order, unit, at, details.get("restock", True)) for unit in units]
            ret.exchanges = [self._exchange(entry) for entry in details.get("exchanges", ())]
            ret.handling_fee = money(str(details.get("handling_fee", 0)))
            ret.bonus_credit = money(str(details.get("bonus_credit", 0)))
            if details.get("gift_card") is not None:
                ret.gift_card_override = money(str(details["gift_card"]))
            ret.gateways = [(name, money(str(amount))) for name, amount in details.get("gateways", ())]
            ret.two_step = details.get("two_step", False)
            ret.native_exchange = self.settings.native_exchanges
            ret.return_method = details.get("return_method")
            ret.package_reference = details.get("package_reference")
            ret.multi_currency = order.presentment_currency != order.currency
            ret.labels = self._labels(ret, details.get("labels"), at)
            self.returns[ret.id] = ret
            self._tell("return.created", ret, at)
            if details.get("instant_exchange"):
                settling.place_exchange(self, ret, at, {})
            return ret

    # What the API asks for; the refusals are decided in loop_actions

    def queue(self, ret: loop_model.LoopReturn, details: Mapping[str, object], source: str = "warehouse") -> None:
        """Accept a return for processing; its details become a note and, on an exchange order, attributes."""
        due = self.clock.now() + timedelta(seconds=self.settings.processing_delay)
        texts = {str(key): _text(value) for key, value in details.items()}
        ret.processing = loop_model.Processing(due, texts, source)
        if texts:
            self.note(ret.id, "Additional Details: " + "; ".join(f"{key}: {value}" for key, value in texts.items()))

    def note(self, rma: int, content: str) -> loop_model.Note:
        with self.lock:
            ret = self.returns[int(rma)]
            note = loop_model.Note(self.number(), content, self.now())
            ret.notes.append(note)
            return note

    def flag(self, ret: loop_model.LoopReturn) -> None:
        ret.flagged = True
        if not self.settings.flag_leaves_open:
            ret.state = "review"
        self._touch(ret)

    def drop_units(self, ret: loop_model.LoopReturn, line_item_ids: Iterable[int]) -> None:
        """Take units off a return; without units it is cancelled."""
        gone = set(line_item_ids)
        ret.units = [unit for unit in ret.units if unit.line_item_id not in gone]
        for label in ret.labels:
            label.line_item_ids = [number for number in label.line_item_ids if number not in gone]
        ret.edited_at = self.now()
        if not ret.units:
            ret.state = "cancelled"
        self._touch(ret)

    # What a person does in Loop Admin

    def review(
        self, rma: int, process: bool = True, restock: bool | Sequence[int] | None = None, remove: Iterable[int] = ()
    ) -> loop_model.LoopReturn:
        """A reviewer takes lines off, ticks or unticks restock (for all, or only for the named units), and processes or rejects."""
        with self.lock:
            ret = self.return_(rma)
            if remove:
                self.drop_units(ret, remove)
            for unit in ret.units:
                if restock is not None:
                    unit.restock = restock if isinstance(restock, bool) else unit.line_item_id in restock
            ret.flagged = False
            if ret.state == "cancelled":
                return ret
            self._drop_out_of_stock(ret)
            if process:
                ret.processing = loop_model.Processing(self.clock.now(), {}, "admin")
                self.settle()
            else:
                self.close(rma)
            return ret

    def to_open(self, rma: int) -> None:
        """A reviewer puts the return back to open and decides nothing."""
        with self.lock:
            ret = self.return_(rma)
            ret.state, ret.flagged = "open", False
            self._touch(ret)

    def to_review(self, rma: int) -> None:
        """A person or a workflow in Loop puts the return into review."""
        with self.lock:
            ret = self.return_(rma)
            ret.state, ret.flagged = "review", True
            self._touch(ret)

    def cancel(self, rma: int) -> None:
        self._end(rma, "cancelled")

    def expire(self, rma: int) -> None:
        self._end(rma, "expired")

    def close(self, rma: int) -> None:
        """Archive without outcomes."""
        self._end(rma, "closed")

    def edit(self, rma: int, remove: Iterable[int] = (), add: Iterable[Sequence[object]] = ()) -> loop_model.LoopReturn:
        """Change the units of an open return in the admin; nothing is processed."""
        with self.lock:
            ret, order = self.return_(rma), self.orders[self.return_(rma).order_id]
            ret.units += [self._unit(order, unit, self.now(), True) for unit in add]
            self.drop_units(ret, remove)
            return ret

    def scan_label(self, rma: int, status: str, tracking_number: str | None = None) -> None:
        """The carrier scans a box: moves the label's status and the return's `updated_at`."""
        with self.lock:
            ret = self.return_(rma)
            for label in ret.labels:
                if tracking_number in (None, label.tracking_number):
                    label.status, label.updated_at = status, self.now()
            self._touch(ret)

    def out_of_stock(self, rma: int) -> None:
        """Let the exchange items run out, so that processing ends in review instead of an exchange order."""
        with self.lock:
            for new in self.return_(rma).exchanges:
                new.out_of_stock = True

    def fail_processing(self, rma: int, message: str = "Return failed to process") -> None:
        """Let the next processing of this return fail with `message` and end in review."""
        self.return_(rma).failure = message

    # Time

    def settle(self, everything: bool = False) -> list[int]:
        """Carry out all processing that is due (or all there is), in the order in which it fell due."""
        with self.lock:
            now = self.clock.now()
            waiting = [r for r in self.returns.values() if r.processing and (everything or r.processing.due_at <= now)]
            waiting.sort(key=lambda ret: ret.processing.due_at if ret.processing else now)
            for ret in waiting:
                settling.finish(self, ret)
            return [ret.id for ret in waiting]

    def let_pass(self, seconds: float) -> None:
        """Move the clock and carry out what falls due meanwhile."""
        self.clock.advance(seconds)
        self.settle()

    def _end(self, rma: int, state: str) -> None:
        with self.lock:
            ret = self.return_(rma)
            ret.state, ret.flagged, ret.processing = state, False, None
            if state == "closed":
                ret.closed_at = self.now()
            self._touch(ret)

    def _drop_out_of_stock(self, ret: loop_model.LoopReturn) -> None:
        """An exchange item that ran out is given as a refund instead, once a person has looked at it."""
        kept = [new for new in ret.exchanges if not new.out_of_stock]
        if len(kept) != len(ret.exchanges):
            ret.exchanges = kept
            ret.outcome = "exchange+refund" if kept else "refund"
            ret.edited_at = self.now()

    def _touch(self, ret: loop_model.LoopReturn) -> None:
        ret.updated_at = self.now()
        self._tell("return.updated", ret, ret.updated_at)

    def _tell(self, topic: str, ret: loop_model.LoopReturn, at: datetime) -> None:
        self.events.append(loop_model.Event(at, topic, {"id": ret.id, "state": ret.state}))

    def _unit(self, order: model.Order, asked: Sequence[object], at: datetime, restock: bool) -> loop_model.Unit:
        options = dict(asked[2]) if len(asked) > 2 and isinstance(asked[2], Mapping) else {}
        sku, line_item_id = str(asked[1]), int(str(asked[0]))
        line_id = options.pop("line_id", None)
        line = next((n for n in order.lines if n.item.sku == sku and line_id in (None, n.id)), None)
        if line is None:
            raise UnknownThing(f"no line {sku} on order {order.name}")
        price = money(str(options.pop("price", line.price)))
        discount = money(str(options.pop("discount", line.discount / line.quantity)))
        unchanged = (price, discount) == (line.price, money(line.discount / line.quantity))
        tax = line.tax / line.quantity if unchanged else (price - discount) * self.tax_rate
        tax = money(str(options.pop("tax", tax)))
        item = self.item(str(options.pop("item_sku", sku)))
        unit = loop_model.Unit(line_item_id, line.id, item, price, discount, tax, at, restock=restock)
        for name, value in options.items():
            if not hasattr(unit, name):
                raise UnknownThing(f"a unit has no {name}")
            setattr(unit, name, value)
        if unit.outcome == "keep":
            unit.keep = True
        elif unit.keep:
            unit.outcome = "keep"
        return unit

    def _exchange(self, asked: object) -> loop_model.ExchangeItem:
        sku, options = (asked, {}) if isinstance(asked, str) else _pair(asked)
        item = self.item(sku)
        price = money(str(options.get("price", item.price)))
        discount = money(str(options.get("discount", 0)))
        tax = money(str(options.get("tax", (price - discount) * self.tax_rate)))
        number = int(str(options.get("exchange_id", self.number())))
        return loop_model.ExchangeItem(number, item, price, discount, tax, bool(options.get("out_of_stock", False)))

    def _labels(self, ret: loop_model.LoopReturn, asked: Sequence[Mapping[str, object]] | None, at: datetime) -> list[loop_model.Label]:
        moving = [unit.line_item_id for unit in ret.units if not unit.keep]
        if asked is None:
            asked = [{}] if moving else []
        labels = []
        for place, one in enumerate(asked):
            tracking = str(one.get("tracking_number", f"1Z999AA1{ret.id:08d}{place + 1:02d}"))
            ids = one.get("line_item_ids", moving)
            numbers = [int(str(n)) for n in ids] if isinstance(ids, (list, tuple)) else moving
            status, carrier = str(one.get("status", "new")), str(one.get("carrier", "UPS"))
            labels.append(loop_model.Label(carrier, tracking, status, at, numbers))
        return labels


def _pair(asked: object) -> tuple[str, Mapping[str, object]]:
    if isinstance(asked, (list, tuple)) and len(asked) == 2 and isinstance(asked[1], Mapping):
        return str(asked[0]), asked[1]
    raise UnknownThing(f"not an exchange item: {asked!r}")


def _instant(value: datetime | str | None) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(microsecond=0) if value else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
