"""What every job is handed: the book, the clock, the clients, the folders, the rules. Made in `bootstrap`, never here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from sqlalchemy import Engine

from gateway.clients.loop import Loop
from gateway.clients.mail import Letter
from gateway.clients.session import Outcome
from gateway.clients.sftp import Address
from gateway.clients.shopify import Shopify
from gateway.domain.authorizing import Places
from gateway.domain.documents import Policy
from gateway.errors import GatewayError
from gateway.folders import PartnerFolders
from gateway.mapping.profiles import Profile
from gateway.views.aging import Limits

ERP = "ERP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The periods a job needs, in seconds."""

    import_overlap: float
    refunds_overlap: float
    refunds_lag: float
    confirm_process: float
    process_confirmation: float
    partial_wait: float
    doubt_settle: float
    first_retry: float
    longest_retry: float
    exchange_alert: float
    incomplete_file: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Who is told what, when, and by what way; `post` sends one letter."""

    merchant: str
    recap_at: time
    recap_to: tuple[str, ...]
    alert_to: tuple[str, ...]
    channels: tuple[str, ...]
    repeat_hours: float
    group_seconds: float
    tasks: frozenset[str]
    post: Callable[[Letter], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is finished is kept, in days; 0 is for ever."""

    files: float
    records: float
    runs: float
    messages: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The surroundings of a job."""

    engine: Engine
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    loop: Loop
    shopify: Shopify
    profiles: Mapping[str, Profile]
    folders: Mapping[str, PartnerFolders]
    places: Places
    policy: Policy
    timing: Timing
    telling: Telling
    limits: Limits
    retention: Retention
    import_from: datetime
    default_warehouse: str
    compare_before_write: bool
    template: Callable[[str], str]
    local: Callable[[datetime], datetime]
    log: logging.Logger | logging.LoggerAdapter[logging.Logger]
    compare_hour: int = 2
    erp_formats: tuple[str, ...] = ()
    erp_folders: PartnerFolders | None = None
    servers: Mapping[str, Callable[[], Address]] = field(default_factory=dict)

    def outgoing(self, partner: str) -> PartnerFolders:
        """The folders into which a file for a partner, or for the ERP, goes."""
        return self.erp_folders if partner == ERP and self.erp_folders else self.folders[partner]

    def soon(self, seconds: float) -> datetime:
        """The instant some seconds from now."""
        return self.now() + timedelta(seconds=seconds)

    def day(self, at: datetime) -> str:
        """A date as people of the merchant read it."""
        return f"{self.local(at):%Y-%m-%d}"


@dataclass(slots=True)
class Tally:
    """What a run of a job came to: counts, and the reason of every skip and failure (R-009)."""

    read: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    reasons: list[str] = field(default_factory=list)
    scope: str = ""

    def skip(self, what: str, why: str) -> None:
        """Count one skipped."""
        self.skipped += 1
        self.reasons.append(f"{what}: {why}")

    def fail(self, what: str, error: GatewayError | str) -> None:
        """Count one failed."""
        self.failed += 1
        self.reasons.append(f"{what}: {error if isinstance(error, str) else error.message}")

    @property
    def counts(self) -> dict[str, int]:
        """The four counts."""
        return {"read": self.read, "done": self.done, "skipped": self.skipped, "failed": self.failed}
