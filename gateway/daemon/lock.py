"""One instance per data folder: a lock of the system, and a card beside it that says who holds it (R-171).

The system drops the lock when the process dies, so a stale one cannot be left; the card is only words, and is never trusted without the lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from gateway.errors import PermanentError


class LockedError(PermanentError):
    """Another instance runs on this data folder."""


@contextmanager
def locked(folder: Path, owner: str) -> Iterator[Callable[[bool], None]]:
    """Hold the data folder's lock; yields a function that tells others whether we are ready."""
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / "gateway.running.json"
    with (folder / "gateway.lock").open("a+b") as stream:
        if not _try_lock(stream):
            raise LockedError(
                f"another gateway runs on {folder}: {holder(folder) or 'its holder is starting'}. Stop it first, or use another data folder"
            )

        def tell(ready: bool) -> None:
            temporary = card.with_suffix(".tmp")
            temporary.write_text(json.dumps({"owner": owner, "pid": os.getpid(), "ready": ready}), encoding="utf-8")
            temporary.replace(card)

        tell(False)
        try:
            yield tell
        finally:
            card.unlink(missing_ok=True)


def _try_lock(stream: IO[bytes]) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def holder(folder: Path) -> str:
    """Who holds the lock, in words; empty when nobody says so."""
    card = read_card(folder)
    return f"process {card['pid']} ({card['owner']})" if card else ""


def read_card(folder: Path) -> dict[str, Any]:
    """What the running instance says of itself."""
    try:
        loaded: dict[str, Any] = json.loads((folder / "gateway.running.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded


def is_running(folder: Path) -> bool:
    """Whether an instance holds the lock and is ready."""
    lock = folder / "gateway.lock"
    if not lock.exists():
        return False
    with lock.open("a+b") as stream:
        if _try_lock(stream):
            return False
    return bool(read_card(folder).get("ready"))
