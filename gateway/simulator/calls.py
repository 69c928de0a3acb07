"""The log of every request the simulated services got, and what became of it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Call:
    """One request: what was asked, what was answered (status 0: nothing), and whether it had an effect.

    `accepted` says that the service did what was asked, whether or not the answer arrived.
    """

    service: str
    operation: str
    rma: int | None
    method: str
    path: str
    query: Mapping[str, str]
    body: object
    status: int
    effect: bool
    accepted: bool
    fault: str | None
    at: datetime
    answer: object = field(default=None, repr=False)


class CallLog:
    """Thread-safe list of calls in the order in which they were answered."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    def all(self, operation: str | None = None, rma: int | str | None = None, *, service: str | None = None) -> list[Call]:
        """The calls of an operation (`process`, `flag`, `list`, a GraphQL operation's name) and, if given, of one return."""
        with self._lock:
            calls = list(self._calls)
        wanted = [call for call in calls if operation in (None, call.operation) and service in (None, call.service)]
        return [call for call in wanted if rma is None or call.rma == int(rma)]

    def count(self, operation: str | None = None, rma: int | str | None = None, accepted: bool | None = None) -> int:
        """How many calls there were; with `accepted`, only those that were (or were not) carried out."""
        return sum(1 for call in self.all(operation, rma) if accepted is None or call.accepted == accepted)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()

    def __len__(self) -> int:
        return len(self._calls)
