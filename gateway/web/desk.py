"""What the pages are handed: the gateway's surroundings, what may be said of the settings, and small memories of one process.

Made by the command line, which alone reads the settings; secrets arrive here only as the keys that webhooks are checked with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection

from gateway.jobs.context import Context
from gateway.store import database
from gateway.views.aging import Limits
from gateway.web.uploads import Uploads

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of the settings page."""

    part: str
    key: str
    value: str


@dataclass(slots=True)
class Memory:
    """Figures kept for some seconds, and one message for each session's next page."""

    kept: dict[str, tuple[float, Any]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def figure(self, name: str, *, now: float, seconds: float, make: Callable[[], T]) -> T:
        """A figure no older than some seconds."""
        with self.lock:
            until, value = self.kept.get(name, (0.0, None))
        if until > now:
            found: T = value
            return found
        made = make()
        with self.lock:
            self.kept[name] = (now + seconds, made)
        return made

    def say(self, key: str, text: str) -> None:
        """Keep a message for the next page."""
        with self.lock:
            self.told[key] = text

    def hear(self, key: str) -> str:
        """The message that was kept, once."""
        with self.lock:
            return self.told.pop(key, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The surroundings of every page."""

    ctx: Context
    status: Callable[[], dict[str, Any]]
    merchant: str
    zone: str
    hosts: tuple[str, ...]
    https: bool = False
    loop_secret: str = ""
    shopify_secret: str = ""
    shop_domain: str = ""
    settings: tuple[Setting, ...] = ()
    limits: Limits = field(default_factory=Limits)
    check: Callable[[], list[str]] = list
    figure_seconds: float = 5.0
    memory: Memory = field(default_factory=Memory)
    uploads: Uploads = field(default_factory=Uploads)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent look at the book that keeps nobody waiting."""
        with database.reading(self.ctx.engine) as connection:
            yield connection

    def figure(self, name: str, make: Callable[[], T]) -> T:
        """A figure over the whole book, counted anew every few seconds."""
        return self.memory.figure(name, now=self.ctx.monotonic(), seconds=self.figure_seconds, make=make)

    def local(self, at: datetime) -> datetime:
        """An instant in the merchant's zone."""
        return self.ctx.local(at)
