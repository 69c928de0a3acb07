"""Steering the simulated world over HTTP, on the Loop port under `/_sim/`.

GET `/_sim/state` shows the world, `/_sim/calls` the log, `/_sim/faults` the faults, `/_sim/actions` what can be done.
POST `/_sim/do` with {"action": "review", "args": {"rma": 77000004, "restock": false}} does something:

    curl -d '{"action": "advance", "args": {"seconds": 86400}}' http://127.0.0.1:PORT/_sim/do
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from gateway.simulator.shop import UnknownThing
from gateway.simulator.web import Answer, Request, Service, Subject
from gateway.simulator.world import open_known_return

if TYPE_CHECKING:
    from gateway.simulator.server import Simulator

PREFIX = "/_sim"
WORLD_ACTIONS = (
    "open_return",
    "review",
    "to_open",
    "to_review",
    "cancel",
    "expire",
    "close",
    "edit",
    "scan_label",
    "out_of_stock",
    "fail_processing",
    "refund",
    "add_transaction",
    "settle_transaction",
    "add_order",
    "ship",
    "cancel_order",
    "set_stock",
    "add_item",
    "add_location",
    "add_destination",
    "settle",
)


class WithControl:
    """A service with the control address in front of it."""

    def __init__(self, service: Service, simulator: Simulator) -> None:
        self.name = service.name
        self._service = service
        self._simulator = simulator

    def describe(self, request: Request) -> Subject:
        if request.path.startswith(PREFIX):
            return Subject("control", quiet=True)
        return self._service.describe(request)

    def answer(self, request: Request, subject: Subject) -> Answer:
        if not request.path.startswith(PREFIX):
            return self._service.answer(request, subject)
        if request.method == "POST":
            return self._do(request)
        views = _views(self._simulator)
        view = views.get(request.path.removeprefix(PREFIX).strip("/"))
        return Answer(200, view()) if view else Answer(404, {"error": f"look at one of {', '.join(views)}"})

    def _do(self, request: Request) -> Answer:
        try:
            asked = request.json()
            if not isinstance(asked, dict) or not isinstance(asked.get("args", {}), dict):
                raise ValueError('send {"action": name, "args": {...}}')
            actions = _actions(self._simulator)
            if asked.get("action") not in actions:
                raise ValueError(f"no action {asked.get('action')!r}; there are {', '.join(actions)}")
            result = actions[asked["action"]](**asked.get("args", {}))
        except (ValueError, TypeError, LookupError, ArithmeticError, UnknownThing) as error:
            return Answer(400, {"error": str(error)}, accepted=False)
        return Answer(200, {"done": asked["action"], "result": _printable(result)}, effect=True)


def _views(simulator: Simulator) -> Mapping[str, Callable[[], object]]:
    return {
        "state": simulator.world.snapshot,
        "calls": lambda: [_printable(asdict(call)) for call in simulator.calls.all()],
        "faults": lambda: [_printable(dict(fault)) for fault in simulator.faults.list()],
        "events": lambda: [_printable(asdict(event)) for event in simulator.world.events],
        "actions": lambda: list(_actions(simulator)),
    }


def _actions(simulator: Simulator) -> Mapping[str, Callable[..., object]]:
    world = simulator.world
    return {
        **{name: getattr(world, name) for name in WORLD_ACTIONS},
        "open_known_return": lambda rma, destination=501: open_known_return(world, int(rma), destination),
        "advance": world.clock.advance,
        "fault": simulator.faults.add,
        "step_partners": simulator.step_partners,
        "clear_faults": simulator.faults.clear,
        "settings": lambda **values: _set(world.settings, values),
        "loop_rules": lambda **values: _set(simulator.loop_rules, values),
        "shopify_rules": lambda **values: _set(simulator.shopify_rules, values),
    }


def _set(target: object, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if not hasattr(target, name):
            raise ValueError(f"{type(target).__name__} has no {name}")
        setattr(target, name, value)


def _printable(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _printable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(part) for part in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
