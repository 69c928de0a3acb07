"""Folders that strangers write to and read from: settle, claim, archive, put.

Inbound, a file is taken when it is a regular file with an ordinary name, has kept size and time for the settle period (the period also runs at start-up),
and, for X12, has its closing envelope. Taking is one rename into `processing/`: whoever's rename succeeds has the file. What cannot be used goes to
`error/` with a side file in plain words; nothing is deleted, nothing overwritten.

Outbound, bytes are written to `staging/`, flushed, and renamed into the outbox with a rename that cannot overwrite: the only commit point. A reader of
the outbox never sees part of a file. Each rename is followed by an fsync of the folders it touched.

`processing/` and `staging/` must lie on the file system of the inbox and outbox they serve; where a partner's folders are mounted elsewhere, hidden
folders beside them are used. No name here is trusted: it is a name in a folder, never a path.
"""

from __future__ import annotations

import ctypes
import errno
import fnmatch
import hashlib
import os
import re
import stat
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gateway.edi import edifact, x12
from gateway.errors import PermanentError, TemporaryError

CHUNK = 256 * 1024
HEAD, TAIL = 4096, 64 * 1024
RENAME_NOREPLACE = 1
AT_FDCWD = -100
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"COM{n}" for n in range(1, 10)), *(f"LPT{n}" for n in range(1, 10))}


class FolderTroubleError(TemporaryError):
    """A folder is missing, read-only, full or unreachable; this partner pauses and goes on by itself when it is back."""


class NameTakenError(PermanentError):
    """A file with this name is there already; it is never overwritten."""


class GoneError(PermanentError):
    """The file is no longer where it was left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A file that is ours now: `place` is its name in `processing/`, `name` what the partner called it."""

    place: str
    name: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is recorded of a file before it is read for meaning."""

    sha256: str
    size: int
    modified_at: datetime | None
    head: bytes


@dataclass(slots=True)
class _Seen:
    size: int
    modified: int
    since: float
    incomplete: bool = False


@dataclass(slots=True)
class PartnerFolders:
    """The folders of one partner. `inboxes` and `outboxes` are by folder kind: `production` and `test`."""

    partner: str
    inboxes: dict[str, Path]
    outboxes: dict[str, Path]
    processing: Path
    staging: Path
    archive_root: Path
    error: Path
    quarantine: Path
    settle_seconds: float
    temporary: tuple[str, ...]
    trigger: str = ""
    whole_x12: bool = True
    _seen: dict[Path, _Seen] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self) -> None:
        """Make missing folders and check that each can be written (R-140)."""
        for path in (*self.inboxes.values(), *self.outboxes.values(), self.processing, self.staging, self.archive_root, self.error, self.quarantine):
            try:
                path.mkdir(parents=True, exist_ok=True)
                probe = path / f".gateway-{uuid.uuid4().hex}"
                probe.touch()
                probe.unlink()
            except OSError as fault:
                raise FolderTroubleError(
                    f"{self.partner}: the folder {path} cannot be written ({fault.strerror}); give the service write access"
                ) from fault

    def claim_settled(self, *, now: float) -> list[Claimed]:
        """Take every file that is ready; `now` is a monotonic clock in seconds."""
        claimed = []
        with self._lock:
            for kind, inbox in self.inboxes.items():
                present = dict(self._candidates(inbox))
                self._forget_all_but(inbox, present)
                for path, status in sorted(present.items(), key=lambda pair: (pair[1].st_mtime_ns, pair[0].name)):
                    if self._ready(path, status, now=now):
                        claimed += self._claim(path, kind, status.st_mtime_ns)
        return claimed

    def waiting(self) -> list[tuple[str, bool]]:
        """Names in the inboxes that are not taken yet, each with whether it lacks its closing envelope."""
        with self._lock:
            found = []
            for inbox in self.inboxes.values():
                for path, status in self._candidates(inbox):
                    seen = self._seen.get(path)
                    same = seen is not None and (seen.size, seen.modified) == (status.st_size, status.st_mtime_ns)
                    found.append((path.name, bool(same and seen and seen.incomplete)))
            return found

    def waiting_to_settle(self) -> bool:
        """Whether a file lies in an inbox that has not kept still long enough yet."""
        with self._lock:
            return any(not seen.incomplete for seen in self._seen.values())

    def incomplete(self, *, now: float) -> list[tuple[Path, float]]:
        """Files that stopped growing without their closing envelope, with the seconds since."""
        with self._lock:
            return [(path, now - seen.since) for path, seen in self._seen.items() if seen.incomplete]

    def claim_incomplete(self, path: Path) -> list[Claimed]:
        """Take an incomplete file after all, to report it."""
        with self._lock:
            kind = next(kind for kind, inbox in self.inboxes.items() if inbox == path.parent)
            return self._claim(path, kind, path.stat().st_mtime_ns if path.exists() else 0)

    def _candidates(self, inbox: Path) -> Iterator[tuple[Path, os.stat_result]]:
        try:
            entries = list(os.scandir(inbox))
        except OSError as fault:
            raise FolderTroubleError(f"{self.partner}: {inbox} cannot be read ({fault.strerror})") from fault
        for entry in entries:
            if self.is_temporary(entry.name) or (self.trigger and entry.name.endswith(self.trigger)):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone between listing and looking: somebody else's rename
            if stat.S_ISREG(status.st_mode):
                yield Path(entry.path), status

    def is_temporary(self, name: str) -> bool:
        """Whether a name says that its file is still being written; such names belong to whoever writes them."""
        return any(fnmatch.fnmatch(name.lower(), pattern) for pattern in self.temporary)

    def _forget_all_but(self, inbox: Path, present: dict[Path, os.stat_result]) -> None:
        for path in [p for p in self._seen if p.parent == inbox and p not in present]:
            del self._seen[path]

    def _ready(self, path: Path, status: os.stat_result, *, now: float) -> bool:
        seen = self._seen.get(path)
        if seen is None or (seen.size, seen.modified) != (status.st_size, status.st_mtime_ns):
            self._seen[path] = seen = _Seen(status.st_size, status.st_mtime_ns, now)
        if now - seen.since < self.settle_seconds or seen.incomplete:
            return False
        if self.trigger and not any(path.with_name(n).exists() for n in (path.name + self.trigger, path.stem + self.trigger)):
            return False
        if self.whole_x12 and not self._whole(path, status.st_size):
            seen.incomplete = True
            return False
        return True

    def _whole(self, path: Path, size: int) -> bool:
        try:
            with path.open("rb") as stream:
                head = stream.read(HEAD)
                stream.seek(max(size - TAIL, 0))
                tail = stream.read(TAIL)
        except PermissionError:
            return False  # locked by its writer (Windows)
        except OSError:
            return True
        kind = x12.sniff(head)
        if kind == "edifact":
            return edifact.is_complete(tail=tail, head=head)
        return kind != "x12" or x12.is_complete(tail=tail, head=head)

    def _claim(self, path: Path, kind: str, modified: int) -> list[Claimed]:
        place = f"{kind}.{modified:020d}-{uuid.uuid4().hex[:8]}.{path.name}"  # sorts as written, so that older files are read first
        try:
            os.rename(path, self.processing / place)
        except (FileNotFoundError, PermissionError):
            return []  # another instance has it, or its writer still holds it
        self._seen.pop(path, None)
        sync_folder(path.parent)
        sync_folder(self.processing)
        if self.trigger:
            for companion in (path.with_name(path.name + self.trigger), path.with_name(path.stem + self.trigger)):
                companion.unlink(missing_ok=True)
        return [Claimed(place=place, name=path.name, folder=kind)]

    def claimed(self) -> list[Claimed]:
        """Everything in `processing/`: after a crash this is where work goes on."""
        found = []
        for entry in sorted(os.scandir(self.processing), key=lambda e: e.name):
            kind, _, rest = entry.name.partition(".")
            _token, _, name = rest.partition(".")
            if kind in self.inboxes and name:
                found.append(Claimed(place=entry.name, name=name, folder=kind))
        return found

    def facts(self, place: str) -> Facts:
        """Hash, size, time and first bytes of a claimed file."""
        path = self._existing(self.processing / place)
        digest, size, head = hashlib.sha256(), 0, b""
        for chunk in self.read(place):
            head = head or chunk[:HEAD]
            digest.update(chunk)
            size += len(chunk)
        modified = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        return Facts(sha256=digest.hexdigest(), size=size, modified_at=modified, head=head)

    def read(self, place: str) -> Iterator[bytes]:
        """A file's bytes in chunks; `place` is in `processing/`, or where `plan` said."""
        with self._existing(self.resolve(place)).open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk

    def resolve(self, place: str) -> Path:
        """Where a place is."""
        inside = self.processing / place
        return inside if "/" not in place and inside.exists() else self.archive_root.parent / place

    def in_processing(self, place: str) -> bool:
        """Whether a claimed file still waits in `processing/`."""
        return "/" not in place and (self.processing / place).exists()

    def plan(self, area: str, *, name: str, at: datetime) -> str:
        """Where a handled file shall go: `archive` (by day), `error` or `quarantine`."""
        home = {"archive": self.archive_root / f"{at:%Y/%m/%d}" / self.partner, "error": self.error, "quarantine": self.quarantine}[area]
        return free_name(home, safe_name(name)).relative_to(self.archive_root.parent).as_posix()

    def move(self, place: str, target: str) -> None:
        """Move a file to its planned place; done already is done."""
        source, goal = self.resolve(place), self.archive_root.parent / target
        if not source.exists() and goal.exists():
            return
        goal.parent.mkdir(parents=True, exist_ok=True)
        rename_new(source, goal)
        sync_folder(goal.parent)
        sync_folder(source.parent)

    def explain_partial(self, *, name: str, side_text: str, rest: bytes | None) -> None:
        """Put a side file (and the bad documents alone) into the error folder for a file that was partly applied."""
        durable_write(self.error / f"{safe_name(name)}.txt", side_text.encode())
        if rest is not None:
            durable_write(self.error / f"{safe_name(name)}.to-correct{Path(name).suffix or '.edi'}", rest)

    def write_beside(self, place: str, suffix: str, content: bytes) -> None:
        """Write a side file next to a file that was moved."""
        path = self.resolve(place)
        durable_write(path.with_name(path.name + suffix), content)

    def discard(self, place: str) -> None:
        """Let go of a handled file and what lies beside it, once the book no longer needs them (R-176); gone already is gone."""
        path = self.resolve(place)
        for one in (path, path.with_name(f"{path.name}.txt")):
            one.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_folder(path.parent)

    def rewrite(self, place: str, content: bytes) -> None:
        """Put other bytes in the place of a handled file: a person's data was taken out of it (R-176)."""
        durable_write(self._existing(self.resolve(place)), content)

    def _existing(self, path: Path) -> Path:
        if not path.exists():
            raise GoneError(f"{self.partner}: {path.name} is no longer in {path.parent}; somebody moved it")
        return path

    def stage(self, name: str, content: bytes) -> None:
        """Write a file completely into staging; writing it again is harmless."""
        durable_write(self.staging / name, content)

    def is_staged(self, name: str) -> bool:
        """Whether a file waits in staging."""
        return (self.staging / name).exists()

    def discard_staged(self, name: str) -> None:
        """Drop a staged file that will be written again under another name."""
        (self.staging / name).unlink(missing_ok=True)

    def put(self, name: str, *, kind: str) -> None:
        """Move a staged file into the outbox: it appears whole, and over nothing."""
        outbox = self.outboxes[kind]
        rename_new(self.staging / name, outbox / name)
        sync_folder(outbox)
        sync_folder(self.staging)

    def drop(self, name: str, content: bytes, *, kind: str) -> str:
        """Put a file into the inbox as its sender would, whole and over nothing; the name it got."""
        plain = safe_name(name)
        staged = f"dropped-{uuid.uuid4().hex}"
        durable_write(self.staging / staged, content)
        inbox = self.inboxes[kind]
        try:
            rename_new(self.staging / staged, inbox / plain)
        except NameTakenError:
            (self.staging / staged).unlink(missing_ok=True)
            raise
        sync_folder(inbox)
        return plain


def safe_name(name: str) -> str:
    """A name that any file system takes: no separators, no control characters, no reserved device names."""
    clean = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", name).rstrip(". ") or "_"
    return f"_{clean}" if clean.split(".", 1)[0].upper() in RESERVED else clean[:200]


def free_name(folder: Path, name: str) -> Path:
    """A name that is not taken in the folder."""
    path, number = folder / name, 2
    while path.exists():
        path = folder / f"{Path(name).stem}~{number}{Path(name).suffix}"
        number += 1
    return path


def durable_write(path: Path, content: bytes) -> None:
    """Write, flush to the disk, rename into place, flush the folder."""
    temporary = path.with_name(f".{path.name}.tmp")  # the same name each time: what a crash left is written over
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as fault:
        temporary.unlink(missing_ok=True)
        raise FolderTroubleError(f"{path.parent} cannot be written ({fault.strerror})") from fault
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk (Windows does it by itself and offers no call)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename_new(source: Path, target: Path) -> None:
    """Rename, never over an existing file: in one system call where the kernel offers it."""
    try:
        if os.name == "nt" or not _rename_noreplace(source, target):
            if target.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
            os.rename(source, target)
    except FileExistsError as fault:
        raise NameTakenError(f"{target.name} is already in {target.parent}; it is not overwritten") from fault
    except FileNotFoundError as fault:
        raise GoneError(f"{source.name} is no longer in {source.parent}") from fault
    except OSError as fault:
        raise FolderTroubleError(f"{source.name} could not be moved to {target.parent} ({fault.strerror})") from fault


def _rename_noreplace(source: Path, target: Path) -> bool:
    """renameat2(RENAME_NOREPLACE), Linux; False where it is not offered."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):
        return False
    raise OSError(code, os.strerror(code), str(target))
