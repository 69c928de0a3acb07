"""What carrying a file to or from a partner's server needs in both directions: the claim of the file, its steps, its troubles.

`Sync` is what one process knows of a partner's server between two passes. Every step is written only while the file is still ours (`store.remote`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sqlalchemy import Connection

from gateway.clients import sftp
from gateway.clients.sftp import Entry, Link, Refused, ServerTroubleError
from gateway.folders import PartnerFolders
from gateway.jobs.context import Context, Tally
from gateway.mapping.exchange_parts import Sftp
from gateway.store import database, remote
from gateway.store.remote import Carried, Wanted

CLAIM_AT_ONCE = 100
T = TypeVar("T")
Progress = Callable[[str, int, int], None]


class LostFileError(ServerTroubleError):
    """Another process took this file over; it goes on with it."""


def _silent(_name: str, _done: int, _size: int) -> None:
    return


@dataclass(slots=True)
class Sync:
    """What one process knows of a partner's server between passes: its connection, and since when files there keep still."""

    ctx: Context
    partner: str
    owner: str
    lease_seconds: float = 300.0
    progress: Progress = _silent
    stop: Callable[[], bool] = lambda: False
    tally: Tally = field(default_factory=Tally)
    _link: Link | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _book: threading.Lock = field(default_factory=threading.Lock)
    _still: dict[tuple[str, str, str], float] = field(default_factory=dict)

    @property
    def profile(self) -> Sftp:
        """The `[sftp]` part of the partner's profile."""
        found = self.ctx.profiles[self.partner].sftp
        assert found is not None, "only partners with [sftp] are synced"
        return found

    @property
    def folders(self) -> PartnerFolders:
        """The partner's folders."""
        return self.ctx.folders[self.partner]

    @property
    def settling(self) -> bool:
        """Whether a file on the server has not kept still long enough yet."""
        return any(self.ctx.monotonic() - since < self.profile.settle_seconds for since in self._still.values())

    def link(self) -> Link:
        """The connection, opened where it is not."""
        if self._link is None or not self._link.is_open:
            self._link = sftp.connect(self.ctx.servers[self.partner]())
        return self._link

    def close(self) -> None:
        """Hang up."""
        sftp.hang_up(self._link)
        self._link = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction; the channels take turns, which SQLite grants faster than it lets them race."""
        with self._book, database.writing(self.ctx.engine) as connection:
            yield connection

    def count(self, *, read: int = 0, done: int = 0) -> None:
        """Count, from whichever channel."""
        with self._lock:
            self.tally.read += read
            self.tally.done += done

    def forget_all_but(self, kind: str, present: set[tuple[str, str, str]]) -> None:
        """Forget files that are no longer on the server."""
        self._still = {key: since for key, since in self._still.items() if key[0] != kind or key in present}

    def kept_still(self, kind: str, entry: Entry) -> bool:
        """Whether a file on the server has had this size and time for the settle period."""
        since = self._still.setdefault((kind, entry.name, stamp_of(entry)), self.ctx.monotonic())
        return self.ctx.monotonic() - since >= self.profile.settle_seconds


def stamp_of(entry: Entry) -> str:
    """What tells one state of a file on the server from another."""
    return f"{entry.size}-{entry.modified}"


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Some at a time, so that a claim is not long before its use."""
    for start in range(0, len(items), CLAIM_AT_ONCE):
        yield items[start : start + CLAIM_AT_ONCE]


def pairs(items: Sequence[T], claimed: Sequence[Carried | None]) -> list[tuple[T, Carried]]:
    """What is ours, with its claim."""
    return [(item, one) for item, one in zip(items, claimed, strict=True) if one is not None]


def claim_all(sync: Sync, direction: str, kind: str, files: Sequence[tuple[str, str, int]]) -> list[Carried | None]:
    """Claim files by name, stamp and size in one transaction; None for each that another process has."""
    if not files:
        return []
    wanted = [Wanted(partner=sync.partner, direction=direction, folder=kind, name=name, stamp=stamp, size=size) for name, stamp, size in files]
    with sync.writing() as connection:
        return [remote.claim(connection, one, owner=sync.owner, now=sync.ctx.now(), seconds=sync.lease_seconds) for one in wanted]


def step(sync: Sync, claimed: Carried, **values: str) -> Carried:
    """Write a step, if the file is still ours."""
    now = sync.ctx.now()
    with sync.writing() as connection:
        if not remote.step(connection, claimed, now=now, **values):
            raise LostFileError
    return replace(claimed, changed_at=now, **values)  # type: ignore[arg-type]  # columns of text


def refuse(sync: Sync, claimed: Carried, refused: Refused) -> bool:
    """What befell one file: written down, counted, tried again at the next pass; False, for it is not carried."""
    sync.tally.fail(claimed.name, refused.why)
    if claimed.trouble != refused.why:
        step(sync, claimed, trouble=refused.why)
    return False


def progress_of(sync: Sync, claimed: Carried) -> Callable[[int], None]:
    """Tell how far a file is, keep its lease, and notice a stop."""
    renewed = sync.ctx.monotonic()

    def told(done: int) -> None:
        nonlocal renewed
        sync.progress(claimed.name, done, claimed.size)
        if sync.stop():
            raise ServerTroubleError("the service is stopping; the transfer goes on at the next start")
        if sync.ctx.monotonic() - renewed > sync.lease_seconds / 3:
            renewed = sync.ctx.monotonic()
            with sync.writing() as connection:
                if not remote.renew(connection, claimed, now=sync.ctx.now(), seconds=sync.lease_seconds):
                    raise LostFileError

    return told
