"""A partner's inbox and outbox as they are kept in step with a server: what is to go, what has come.

What comes is written to a hidden file in the inbox and appears under its name by one rename, whole, over nothing. What has gone is moved from the outbox
to the archive; it is never deleted. A file is known by its stamp (size and time of change): one that changed meanwhile is another file.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import IO

from gateway.folders.durable import GoneError, NameTakenError, digest, free_name, rename_new, sync_file, sync_folder, trouble
from gateway.folders.naming import safe_name
from gateway.folders.partner import PartnerFolders

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A file in the outbox."""

    name: str
    size: int
    stamp: str


def outgoing(folders: PartnerFolders, kind: str) -> list[Outgoing]:
    """The regular files in an outbox that are not being written, oldest first."""
    outbox = folders.outboxes[kind]
    folders.check(outbox)
    found = []
    for entry in os.scandir(outbox):
        if folders.is_temporary(entry.name):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # gone between listing and looking
        if stat.S_ISREG(status.st_mode):
            found.append((status.st_mtime_ns, entry.name, status))
    return [Outgoing(name=name, size=status.st_size, stamp=stamp(status)) for _, name, status in sorted(found, key=lambda f: f[:2])]


def stamp(status: os.stat_result) -> str:
    """What tells one state of a file from another."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def open_outgoing(folders: PartnerFolders, kind: str, file: Outgoing) -> IO[bytes]:
    """A file of the outbox for reading; GoneError when it is no longer the one that was listed."""
    path = folders.outboxes[kind] / file.name
    try:
        stream = os.fdopen(os.open(path, os.O_RDONLY | NO_FOLLOW), "rb")
    except FileNotFoundError as fault:
        raise GoneError(f"{file.name} is no longer in {path.parent}") from fault
    except OSError as fault:
        raise trouble(path.parent, f"does not let {file.name} be read", fault) from fault
    if stamp(os.fstat(stream.fileno())) != file.stamp:
        stream.close()
        raise GoneError(f"{file.name} in {path.parent} changed")
    return stream


def retire(folders: PartnerFolders, kind: str, name: str, stamped: str, *, at: datetime) -> None:
    """Move a file that has gone from the outbox to the archive; gone already, or another one meanwhile, is left alone."""
    path = folders.outboxes[kind] / name
    try:
        if stamp(path.lstat()) != stamped:
            return
    except FileNotFoundError:
        return
    home = folders.archive_root / f"{at:%Y/%m/%d}" / folders.partner
    home.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            rename_new(path, free_name(home, safe_name(name)))
            break
        except NameTakenError:
            continue
        except GoneError:
            return
    sync_folder(home)
    sync_folder(path.parent)


def partial(folders: PartnerFolders, kind: str, *, number: int, name: str) -> Path:
    """Where a file that is coming is written: hidden, in the inbox itself, the same place after a break."""
    return folders.inboxes[kind] / f".{safe_name(name)}.{number}.part"


def open_partial(folders: PartnerFolders, path: Path, *, size: int) -> tuple[IO[bytes], int]:
    """The unfinished file for writing on, and how much of it is there."""
    folders.check(path.parent)
    try:
        stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o660), "r+b")
    except OSError as fault:
        raise trouble(path.parent, "cannot be written", fault) from fault
    there = os.fstat(stream.fileno()).st_size
    start = there if there <= size else 0
    stream.truncate(start)
    stream.seek(start)
    return stream, start


def hash_of(path: PurePath) -> str:
    """SHA-256 of a file that came."""
    return digest(Path(path))


def drop_partial(path: Path) -> None:
    """Drop an unfinished file that will be fetched anew."""
    path.unlink(missing_ok=True)


def finish_partial(path: Path, *, modified: int) -> None:
    """Flush a file that is whole, with the time it has on the server, so that older ones are read first."""
    try:
        os.utime(path, (modified, modified))
    except OSError as fault:
        raise trouble(path.parent, "cannot be written", fault) from fault
    sync_file(path)
    sync_folder(path.parent)


def free_inbox_name(folders: PartnerFolders, kind: str, name: str) -> str:
    """A name that is not taken in the inbox."""
    return free_name(folders.inboxes[kind], safe_name(name)).name


def land(folders: PartnerFolders, kind: str, path: Path, name: str) -> bool:
    """Rename a whole file into the inbox; False when it was done before. NameTakenError when the name went to another meanwhile."""
    folders.check(folders.inboxes[kind])
    try:
        rename_new(path, folders.inboxes[kind] / name)
    except GoneError:
        return False
    sync_folder(folders.inboxes[kind])
    return True
