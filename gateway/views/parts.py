"""Each part of the whole, judged: database, clock, disks, folders, connections, jobs, queues (R-157).

Nothing outside is asked: what is known of Loop, Shopify and partners' servers is what the last calls came to.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from gateway.folders import FolderTroubleError, PartnerFolders
from gateway.store import database, events, overview, workqueue

LEAST_FREE = 500_000_000  # bytes; on a small disk a twentieth of it
WRONG_CLOCK = timedelta(minutes=2)
LATE = timedelta(minutes=15)
CONNECTIONS = ("service away", "access denied", "server trouble", "cannot tell")  # kinds of alerts
USED_BY = {"Loop": ("LoopImportReturnAuthorizations",), "Shopify": ("ShopifyImportRefunds", "ShopifyImportOrders")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part, whether it is well, and in words how it stands; `told`: an alert says so already."""

    part: str
    name: str
    well: bool
    words: str
    told: bool = False


def judge(connection: Connection, folders: Mapping[str, PartnerFolders], *, now: datetime, ready: bool) -> list[Part]:
    """Every part, in the order in which one would look. `ready`: the service runs, so that what is late is late."""
    alerts = overview.open_alerts(connection, limit=None)
    return [
        Part(part="database", name=connection.dialect.name, well=True, words="it answers"),
        _clock(connection, now),
        *_disks(folders),
        *_folders(folders, {alert["subject"] for alert in alerts if alert["kind"] == "folder trouble"}),
        *_connections(connection, alerts),
        *_jobs(connection, alerts, now=now, ready=ready),
        *_queues(connection, now=now, ready=ready),
    ]


def problems(parts: list[Part]) -> list[str]:
    """What is wrong with parts and no alert says."""
    return [f"{part.part} {part.name}: {part.words}" for part in parts if not part.well and not part.told]


def plain(parts: list[Part]) -> list[dict[str, Any]]:
    """As they are told to machines: `part`, `name`, `well`, `words`."""
    return [{key: value for key, value in asdict(part).items() if key != "told"} for part in parts]


def _clock(connection: Connection, now: datetime) -> Part:
    """Ours beside the database server's, or beside the newest event in the book, which cannot be later."""
    other = database.server_time(connection) or _newest(connection)
    if other is not None and (other - now > WRONG_CLOCK or (now - other > WRONG_CLOCK and connection.dialect.name == "postgresql")):
        against = "the database server's" if connection.dialect.name == "postgresql" else "the newest event in the book"
        return Part(part="clock", name="UTC", well=False, words=f"{now:%Y-%m-%d %H:%M:%S}, but {against} is {other:%Y-%m-%d %H:%M:%S}; set it by NTP")
    return Part(part="clock", name="UTC", well=True, words=f"{now:%Y-%m-%d %H:%M:%S}")


def _newest(connection: Connection) -> datetime | None:
    text = overview.newest_event(connection)
    return database.moment(text) if text else None


def _disks(folders: Mapping[str, PartnerFolders]) -> Iterator[Part]:
    """The free space of every disk that a folder lies on."""
    seen: dict[int, Path] = {}
    for one in folders.values():
        for path in (one.processing, *one.inboxes.values(), *one.outboxes.values()):
            there = next((place for place in (path, *path.parents) if place.exists()), None)
            if there is not None:
                seen.setdefault(there.stat().st_dev, there)
    for path in seen.values():
        space = shutil.disk_usage(path)
        enough = space.free >= min(LEAST_FREE, space.total / 20)
        words = f"{space.free / 1e9:.1f} of {space.total / 1e9:.1f} GB free" + (
            "" if enough else "; make room, or files and the book cannot be written"
        )
        yield Part(part="disk", name=f"of {path}", well=enough, words=words)


def _folders(folders: Mapping[str, PartnerFolders], told: set[str]) -> Iterator[Part]:
    for name, one in folders.items():
        try:
            one.look()
        except FolderTroubleError as error:
            yield Part(part="folders", name=name, well=False, words=error.message, told=bool(told & {name, f"{name} inbox", f"{name} outbox"}))
        else:
            yield Part(part="folders", name=name, well=True, words="they can be written")


def _connections(connection: Connection, alerts: list[dict[str, Any]]) -> Iterator[Part]:
    """Loop and Shopify by what the last calls came to; others are named while they are in trouble."""
    troubles = {alert["subject"].lower(): alert["text"] for alert in alerts if alert["kind"] in CONNECTIONS}
    failed = {alert["subject"]: alert["text"] for alert in alerts if alert["kind"] == "job failed"}
    well = {row["job"]: row["last_success_at"] for row in events.list_schedule(connection) if row["last_success_at"]}
    for service, jobs in USED_BY.items():
        trouble = troubles.pop(service.lower(), "") or next((failed[job] for job in jobs if job in failed), "")
        last = max((well[job] for job in jobs if job in well), default="")
        words = trouble or (f"last asked with success at {_when(last)}" if last else "not asked yet")
        yield Part(part="connection", name=service, well=not trouble, words=words, told=True)
    for subject, text in troubles.items():
        yield Part(part="connection", name=subject, well=False, words=text, told=True)


def _jobs(connection: Connection, alerts: list[dict[str, Any]], *, now: datetime, ready: bool) -> Iterator[Part]:
    failed = {alert["subject"]: alert["text"] for alert in alerts if alert["kind"] == "job failed"}
    for row in events.list_schedule(connection):
        name, late = row["job"], ready and now - database.moment(row["due_at"]) > LATE
        words = f"last well at {_when(row['last_success_at'])}" if row["last_success_at"] else "not yet well"
        words += f"; was due at {_when(row['due_at'])} and has not begun" if late else f"; next at {_when(row['due_at'])}"
        yield Part(part="job", name=name, well=name not in failed and not late, words=failed.get(name, words), told=name in failed)


def _queues(connection: Connection, *, now: datetime, ready: bool) -> Iterator[Part]:
    for row in workqueue.sizes(connection):
        late = ready and now - database.moment(row["oldest"]) > LATE
        words = f"{row['count']} queued" + (
            f", the oldest due since {_when(row['oldest'])}; look at `gateway status` again, then at the log" if late else ""
        )
        yield Part(part="queue", name=row["job"], well=not late, words=words)


def _when(instant: str) -> str:
    return f"{database.moment(instant):%Y-%m-%d %H:%M:%S} UTC"
