"""Whether all is well, and whether the book is true: `status` and `verify`."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine

from gateway.domain.documents import ZERO
from gateway.folders import FolderTroubleError, PartnerFolders
from gateway.store import audit, database, events, files, overview, returns, workqueue
from gateway.views import conservation, parts


def status(engine: Engine, folders: Mapping[str, PartnerFolders], *, now: datetime, ready: bool, whole: bool = True) -> dict[str, Any]:
    """The state of the whole: ready, idle, counts, problems, and each part (R-157).

    Not `whole`: only what is not done with is counted, for who asks every few seconds.
    """
    with database.reading(engine) as connection:
        due = workqueue.due_count(connection, now=now)
        jobs = events.due_jobs(connection, now=now) if ready else []
        tasks = events.open_tasks(connection)
        counts = {
            "queue_due": due,
            "queue_all": workqueue.count(connection),
            "open_tasks": len(tasks),
            "ras": returns.count_by_state(connection) if whole else returns.count_open_by_state(connection),
            "files": files.count_by_outcome(connection) if whole else files.count_wanting(connection),
        }
        alerts = overview.open_alerts(connection, limit=None)
        judged = parts.judge(connection, folders, now=now, ready=ready)
    moving, in_hand = _in_folders(folders)
    counts |= {"arriving": moving, "in_hand": in_hand}
    problems = [f"{a['kind']}: {a['text']}" for a in alerts] + [t["text"] for t in tasks] + parts.problems(judged)
    return {"ready": ready, "idle": not (due or jobs or moving or in_hand), "counts": counts, "problems": problems, "parts": parts.plain(judged)}


def _in_folders(folders: Mapping[str, PartnerFolders]) -> tuple[int, int]:
    """Files that arrive, and files in hand, where the folders can be read; `parts` says where they cannot."""
    moving = in_hand = 0
    for folder in folders.values():
        with contextlib.suppress(FolderTroubleError):
            moving += sum(1 for _, incomplete in folder.waiting() if not incomplete)
            in_hand += len(folder.claimed())
    return moving, in_hand


def verify(engine: Engine, folders: Mapping[str, PartnerFolders]) -> list[str]:
    """What is broken in the whole book; empty when all is true."""
    found: list[str] = prove(engine, folders)["broken"]
    return found


def prove(
    engine: Engine, folders: Mapping[str, PartnerFolders], *, start: datetime | None = None, end: datetime | None = None, most_bonus: Decimal = ZERO
) -> dict[str, Any]:
    """The proof of the book: `broken` names what is wrong with database, seals, archived files, units, money or stock, all of it or of [start, end).

    `exceptions` are returns for which Loop's own amounts do not add up (R-114): listed, but no fault of the book.
    """
    broken = [f"database: {text}" for text in database.check(engine)]
    with database.reading(engine) as connection:
        broken += [f"audit: {text}" for text in itertools.islice(audit.find_broken(connection), 100)]
        broken += [f"audit: {text}" for text in conservation.altered(connection)]
        broken += list(check_archive(connection, folders))
        proof = conservation.report(connection, start=start, end=end, most_bonus=most_bonus)
    broken += [f"{row['identity']}: {row['text']}" for row in proof["broken"]]
    return {"ok": not broken, "broken": broken, "conservation": proof}


def check_archive(connection: Connection, folders: Mapping[str, PartnerFolders]) -> Iterable[str]:
    """Every file taken in is where the book says, unchanged."""
    for file in files.list_files(connection):
        if file.direction == "out":
            if file.content is not None and hashlib.sha256(file.content).hexdigest() != file.kept_sha256:
                yield f"file {file.id} {file.name}: the kept bytes do not match their hash"
            continue
        folder = folders.get(file.partner)
        if folder is None or file.state != "shelved":
            continue
        path = folder.resolve(file.place)
        if not path.is_file():
            yield f"file {file.id} {file.name}: not in the archive at {file.place}"
            continue
        digest = hashlib.sha256()
        for chunk in folder.read(file.place):
            digest.update(chunk)
        if digest.hexdigest() != file.kept_sha256:
            yield f"file {file.id} {file.name}: changed in the archive at {file.place}"
