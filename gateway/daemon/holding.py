"""Whose folders this process handles: a lease for each partner, taken when free, kept while we live, given up when we do not.

With one process it holds all of them. With several over PostgreSQL each partner's folders are swept, and its files read and delivered, by whoever holds
the partner's lease; when that process dies, another takes it after the lease's time. What a sweep writes is fenced by the lease.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from gateway.jobs.context import Context
from gateway.store import database, leases
from gateway.store.leases import Lease

RENEWED_AT = 1 / 3  # of a lease's time


@dataclass(slots=True)
class Holding:
    """The partners' leases of one process."""

    ctx: Context
    owner: str
    seconds: float
    names: tuple[str, ...]
    _held: dict[str, tuple[Lease, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self) -> None:
        """Take the leases that are free, and renew those of which a third has passed."""
        with self._lock:
            now = self.ctx.monotonic()
            due = [name for name in self.names if name not in self._held or now - self._held[name][1] > self.seconds * RENEWED_AT]
            for name in due:
                self._take(name, now)

    def _take(self, name: str, now: float) -> None:
        with database.writing(self.ctx.engine) as connection:
            lease = leases.take(connection, f"partner {name}", owner=self.owner, now=self.ctx.now(), seconds=self.seconds)
        if lease is None:
            self._held.pop(name, None)
        else:
            self._held[name] = (lease, now)

    def partners(self) -> Collection[str]:
        """The partners we hold and know to hold still."""
        with self._lock:
            return [name for name in self._held if self._is_fresh(name)]

    def _is_fresh(self, name: str) -> bool:
        return self.ctx.monotonic() - self._held[name][1] < self.seconds

    def context(self, partner: str) -> Context:
        """The surroundings for work in a partner's folders: nothing is written once the lease is lost."""
        with self._lock:
            lease = self._held[partner][0] if partner in self._held else None
        return replace(self.ctx, engine=database.guarded(self.ctx.engine, leases.guard(lease))) if lease else self.ctx
