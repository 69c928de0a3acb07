"""Who runs on a data folder: locks of the system, and cards beside them that say who holds them (R-171).

On SQLite there is one lock, so one instance. On PostgreSQL several may share a folder (leases in the database keep them apart): each holds a slot of its
own. The system drops a lock when its process dies, so a stale one cannot be left; a card is only words, and is not believed without its lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from gateway.errors import PermanentError

MOST = 64  # slots that are looked at


class LockedError(PermanentError):
    """Another instance runs on this data folder."""


@contextmanager
def locked(folder: Path, owner: str, *, slots: int = 1) -> Iterator[Callable[[bool], None]]:
    """Hold a slot of the data folder; yields a function that tells others whether we are ready."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        slot = next((slot for slot in range(slots) if _hold(folder, slot, held)), None)
        if slot is None:
            raise LockedError(
                f"another gateway runs on {folder}: {holder(folder) or 'its holder is starting'}. Stop it first, or use another data folder"
            )
        card = _card(folder, slot)

        def tell(ready: bool) -> None:
            temporary = card.with_suffix(".tmp")
            temporary.write_text(json.dumps({"owner": owner, "pid": os.getpid(), "ready": ready}), encoding="utf-8")
            temporary.replace(card)

        tell(False)
        try:
            yield tell
        finally:
            card.unlink(missing_ok=True)


def _hold(folder: Path, slot: int, held: ExitStack) -> bool:
    stream = _lock(folder, slot).open("a+b")
    if _try_lock(stream):
        held.enter_context(stream)
        return True
    stream.close()
    return False


def _lock(folder: Path, slot: int) -> Path:
    return folder / (f"gateway.{slot + 1}.lock" if slot else "gateway.lock")


def _card(folder: Path, slot: int) -> Path:
    return folder / (f"gateway.{slot + 1}.running.json" if slot else "gateway.running.json")


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
    """Who holds the first lock, in words; empty when nobody says so."""
    card = _read_card(folder, 0)
    return f"process {card['pid']} ({card['owner']})" if card else ""


def _read_card(folder: Path, slot: int) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = json.loads(_card(folder, slot).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded


def living(folder: Path) -> list[dict[str, Any]]:
    """The cards of the instances that hold a lock: `owner`, `pid`, `ready`."""
    return [_read_card(folder, slot) for slot in range(MOST) if _lock(folder, slot).exists() and _is_held(folder, slot)]


def _is_held(folder: Path, slot: int) -> bool:
    with _lock(folder, slot).open("a+b") as stream:
        return not _try_lock(stream)


def is_running(folder: Path) -> bool:
    """Whether an instance holds a lock and is ready."""
    return any(card.get("ready") for card in living(folder))
