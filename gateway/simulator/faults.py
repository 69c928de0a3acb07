"""Faults that can be switched on, per service and operation, as networks and proxies produce them.

| kind | what the caller sees | is the request carried out? |
|---|---|---|
| drop_before | connection closed without an answer | no |
| drop_after_effect | connection closed without an answer | yes |
| status | the given status, JSON or HTML body, `retry_after` if given | only with `effect=True` |
| html | an HTML page (status 200 unless given) | only with `effect=True` |
| cut_json | right Content-Length, half the body, then closed | yes, unless `effect=False` |
| wrong_content_length | Content-Length of half the body: a clean answer that ends in the middle | yes, unless `effect=False` |
| slow | the right answer after `seconds` | yes |
| error_body | status 200 with the given JSON | only with `effect=True` |

A fault applies to matching requests after `after` of them, to every `every`-th, with probability `chance` (drawn from the
seed, so a run repeats), and `times` times in all (None: always).
"""

import json
import random
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import NotRequired, TypedDict, Unpack

KINDS = ("drop_before", "drop_after_effect", "status", "html", "cut_json", "wrong_content_length", "slow", "error_body")
EFFECT_BY_DEFAULT = ("drop_after_effect", "cut_json", "wrong_content_length", "slow")
LONGEST_WAIT = 30.0


class FaultDetails(TypedDict):
    """What may be said about a fault beyond its kind; see the module's table."""

    service: NotRequired[str | None]
    match: NotRequired[str | None]
    rma: NotRequired[int | None]
    status: NotRequired[int]
    body: NotRequired[object]
    retry_after: NotRequired[str | int | None]
    seconds: NotRequired[float]
    effect: NotRequired[bool]
    times: NotRequired[int | None]
    after: NotRequired[int]
    every: NotRequired[int]
    chance: NotRequired[float]


@dataclass
class Fault:
    """One fault and how often it has applied; `match` is an operation's name or a part of the path."""

    kind: str
    service: str | None = None
    match: str | None = None
    rma: int | None = None
    status: int = 200
    body: object = None
    retry_after: str | int | None = None
    seconds: float = 0.0
    effect: bool = False
    times: int | None = 1
    after: int = 0
    every: int = 1
    chance: float = 1.0
    seen: int = 0
    applied: int = field(default=0)

    def fits(self, service: str, operation: str, path: str, rma: int | None) -> bool:
        if self.service not in (None, service) or self.rma not in (None, rma):
            return False
        return self.match is None or self.match == operation or ("/" in self.match and self.match in path)

    def due(self, draw: float) -> bool:
        """Count a fitting request and tell whether the fault applies to it."""
        self.seen += 1
        place = self.seen - self.after
        if place <= 0 or place % self.every or (self.times is not None and self.applied >= self.times):
            return False
        if draw >= self.chance:
            return False
        self.applied += 1
        return True

    def text(self) -> str:
        """The body of a `status`, `html` or `error_body` answer."""
        if isinstance(self.body, str):
            return self.body
        if self.body is not None:
            return json.dumps(self.body)
        if self.kind == "html":
            return "<html><head><title>Service unavailable</title></head><body><h1>Please try again.</h1></body></html>"
        return json.dumps({"message": f"Simulated answer {self.status}"})


class Faults:
    """The faults switched on, drawn from one seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, kind: str, **details: Unpack[FaultDetails]) -> Fault:
        """Switch a fault on; it applies once unless `times` says otherwise."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        fault = Fault(kind, **details)
        if "effect" not in details:
            fault.effect = kind in EFFECT_BY_DEFAULT
        if kind == "status" and "status" not in details:
            fault.status = 500
        fault.seconds = min(fault.seconds, LONGEST_WAIT)
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, service: str, operation: str, path: str, rma: int | None) -> Fault | None:
        """The first fault that applies to a request."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(service, operation, path, rma) and fault.due(self._random.random()):
                    return fault
        return None

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def list(self) -> list[Mapping[str, object]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]
