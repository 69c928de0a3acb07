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

import hashlib
import os
import stat
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gateway.folders import naming
from gateway.folders.durable import (
    CHUNK,
    FolderTroubleError,
    GoneError,
    NameTakenError,
    durable_write,
    free_name,
    rename_new,
    same_bytes,
    sync_folder,
    trouble,
)
from gateway.folders.naming import numbered, safe_name
from gateway.folders.pacing import Pace

if TYPE_CHECKING:
    from gateway.folders.packing import Packing

HEAD, TAIL = 4096, 64 * 1024
HIDDEN = ".gateway"
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
LONGEST_HOLD = 3600.0  # seconds that a file may wait for its trigger file before somebody is told
MOST_AT_ONCE = 200  # files of one partner in one sweep, so that the next partner gets its turn


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
    waits: bool = False  # for its trigger file, or for its writer to let go of it

    @property
    def stamp(self) -> str:
        """What tells this state of the file from another."""
        return f"{self.size} bytes, last written {datetime.fromtimestamp(self.modified / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"


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
    share: bool = False
    pace: Pace = field(default_factory=Pace)
    packing: Packing | None = None
    seal: Callable[[bytes], bytes] | None = None
    _devices: dict[Path, int] = field(default_factory=dict)
    _received: set[str] = field(default_factory=set)
    _seen: dict[tuple[str, str], _Seen] = field(default_factory=dict)  # by folder kind and name: plain text, for a flood is listed often
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self) -> None:
        """Make missing folders and check that each can be written (R-140). On a share nothing is made: what is missing there is a share that is away."""
        for path in (*self.inboxes.values(), *self.outboxes.values()):
            if self.share or path in self._devices:
                self.check(path)  # it was there: made anew it would hide what comes back
            self._make(path)
        self.processing = self._beside(self.processing, self.inboxes.get("production", self.processing), "processing")
        self.staging = self._beside(self.staging, self.outboxes["production"], "staging")
        for path in (self.processing, self.staging, self.archive_root, self.error, self.quarantine):
            self._make(path)
        for path in (*self.inboxes.values(), *self.outboxes.values(), self.staging):
            self._devices.setdefault(path, path.stat().st_dev)

    def look(self) -> None:
        """Refuse folders that are away or cannot be written, without touching them: for who only asks."""
        for path in (*self.inboxes.values(), *self.outboxes.values()):
            self.check(path)
        for path in (*self.inboxes.values(), *self.outboxes.values(), self.processing, self.staging, self.archive_root, self.error, self.quarantine):
            if path.exists() and not os.access(path, os.W_OK | os.X_OK):
                raise FolderTroubleError(f"{self.partner}: the folder {path} cannot be written; give the service write access")

    def _make(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
            probe = path / f".gateway-{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink()
        except OSError as fault:
            raise FolderTroubleError(
                f"{self.partner}: the folder {path} cannot be written ({fault.strerror}); give the service write access"
            ) from fault

    def _beside(self, own: Path, served: Path, name: str) -> Path:
        """The folder for files in hand: our own, or a hidden one on the file system of the folder it serves, so that a rename reaches it."""
        if own.parts[-2:-1] == (HIDDEN,):
            return own
        self._make(own)
        return own if own.stat().st_dev == served.stat().st_dev else served / HIDDEN / name

    def check(self, folder: Path) -> None:
        """Refuse to work in a folder that is gone, or whose share is (the empty place it was mounted on is another device)."""
        try:
            device = folder.stat().st_dev
        except OSError as fault:
            raise FolderTroubleError(
                f"{self.partner}: the folder {folder} is not there ({fault.strerror}); mount its share, or make it again"
            ) from fault
        if self._devices.get(folder, device) != device or (self.share and device == self.archive_root.parent.stat().st_dev):
            raise FolderTroubleError(f"{self.partner}: the share of {folder} is away (its mount point is empty); mount it again")

    def claim_settled(self, *, now: float, most: int = MOST_AT_ONCE) -> list[Claimed]:
        """Take the files that are ready, oldest first, as many as the partner's limits let; `now` is a monotonic clock in seconds."""
        claimed: list[Claimed] = []
        with self._lock:
            for kind, inbox in self.inboxes.items():
                self.check(inbox)
                present = dict(self._candidates(inbox))
                self._forget_all_but(kind, present)
                settled = [(name, status) for name, status in present.items() if self._settled(kind, name, status, now=now)]
                before = len(claimed)
                for name, status in sorted(settled, key=lambda pair: (pair[1].st_mtime_ns, pair[0])):
                    if len(claimed) >= most or not self.pace.allows(status.st_size, now=now):
                        break
                    if self._ready(kind, name, status):
                        claimed += self._claim(inbox / name, kind, status, now=now)
                self._flush(inbox, changed=len(claimed) > before)
        return claimed

    def _flush(self, inbox: Path, *, changed: bool) -> None:
        """Claims are on the disk before anything is made of them."""
        if changed:
            sync_folder(inbox)
            sync_folder(self.processing)

    def waiting(self) -> list[tuple[str, bool]]:
        """Names in the inboxes that are not taken yet, each with whether it lacks its closing envelope."""
        with self._lock:
            found = []
            for kind, inbox in self.inboxes.items():
                for name, status in self._candidates(inbox):
                    seen = self._seen.get((kind, name))
                    same = seen is not None and (seen.size, seen.modified) == (status.st_size, status.st_mtime_ns)
                    found.append((name, bool(same and seen and seen.incomplete)))
            return found

    def waiting_to_settle(self) -> bool:
        """Whether a file lies in an inbox that has not kept still long enough yet."""
        with self._lock:
            return any(not seen.incomplete and not seen.waits for seen in self._seen.values())

    def settles_in(self, *, now: float) -> float | None:
        """In how many seconds the next file will have kept still long enough; None when none is waited for."""
        with self._lock:
            rests = [seen.since + self.settle_seconds - now for seen in self._seen.values() if not seen.incomplete and not seen.waits]
            return min((rest for rest in rests if rest > 0), default=None)

    def incomplete(self) -> list[tuple[Path, str]]:
        """Files that stopped growing without their closing envelope, each with what tells its state: a file that grows on is told of anew."""
        with self._lock:
            return [(self.inboxes[kind] / name, seen.stamp) for (kind, name), seen in self._seen.items() if seen.incomplete]

    def not_let_go(self, *, now: float) -> list[tuple[Path, str]]:
        """Files that have waited longer than an hour for their trigger file, or for their writer to let go of them; they are never taken without."""
        with self._lock:
            return [
                (self.inboxes[kind] / name, seen.stamp)
                for (kind, name), seen in self._seen.items()
                if seen.waits and now - seen.since >= LONGEST_HOLD
            ]

    def gone(self, names: Iterable[str]) -> list[str]:
        """Which of these names lie neither in an inbox nor, taken, in `processing/`."""
        with self._lock:
            for inbox in self.inboxes.values():
                self.check(inbox)  # what lies on a share that is away is not gone
            lying = {name for inbox in self.inboxes.values() for name, _ in self._candidates(inbox)}
            taken = {one.name for one in self.claimed()}
        return [name for name in names if name not in lying and naming.shorten(name) not in taken]

    def claim_incomplete(self, path: Path, *, now: float) -> list[Claimed]:
        """Take an incomplete file after all, to report it."""
        with self._lock:
            kind = next(kind for kind, inbox in self.inboxes.items() if inbox == path.parent)
            try:
                claimed = self._claim(path, kind, path.lstat(), now=now)
            except FileNotFoundError:
                return []
            self._flush(path.parent, changed=bool(claimed))
            return claimed

    def _candidates(self, inbox: Path) -> Iterator[tuple[str, os.stat_result]]:
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
                yield entry.name, status

    def is_temporary(self, name: str) -> bool:
        """Whether a name says that its file is still being written; such names belong to whoever writes them."""
        return naming.is_temporary(name, self.temporary)

    def _forget_all_but(self, kind: str, present: dict[str, os.stat_result]) -> None:
        for key in [key for key in self._seen if key[0] == kind and key[1] not in present]:
            del self._seen[key]

    def _settled(self, kind: str, name: str, status: os.stat_result, *, now: float) -> bool:
        seen = self._seen.get((kind, name))
        if seen is None or (seen.size, seen.modified) != (status.st_size, status.st_mtime_ns):
            self._seen[kind, name] = seen = _Seen(status.st_size, status.st_mtime_ns, now)
        return now - seen.since >= self.settle_seconds and not seen.incomplete

    def _ready(self, kind: str, name: str, status: os.stat_result) -> bool:
        path, seen = self.inboxes[kind] / name, self._seen[kind, name]
        seen.waits = bool(self.trigger) and not any(path.with_name(n).exists() for n in (path.name + self.trigger, path.stem + self.trigger))
        try:
            seen.incomplete = not seen.waits and self.whole_x12 and not self._whole(path, status.st_size)
        except PermissionError:  # its writer holds it (Windows)
            seen.waits = True
        return not seen.waits and not seen.incomplete

    def _whole(self, path: Path, size: int) -> bool:
        try:
            with path.open("rb") as stream:
                head = stream.read(HEAD)
                stream.seek(max(size - TAIL, 0))
                tail = stream.read(TAIL)
        except PermissionError:
            raise
        except OSError:
            return True
        from gateway.edi import edifact, x12  # a command that only looks at a folder does without their tables

        kind = x12.sniff(head)
        if kind == "edifact":
            return edifact.is_complete(tail=tail, head=head)
        return kind != "x12" or x12.is_complete(tail=tail, head=head)

    def _claim(self, path: Path, kind: str, status: os.stat_result, *, now: float) -> list[Claimed]:
        token = f"{status.st_mtime_ns:020d}-{uuid.uuid4().hex[:8]}"  # sorts as written, so that older files are read first
        place = f"{kind}.{token}.{naming.shorten(path.name)}"
        try:
            os.rename(path, self.processing / place)
        except (FileNotFoundError, PermissionError):
            return []  # another instance has it, or its writer still holds it (Windows: sharing violation)
        except OSError as fault:
            raise trouble(self.processing, f"did not take {path.name}", fault) from fault
        self._seen.pop((kind, path.name), None)
        if not stat.S_ISREG((self.processing / place).lstat().st_mode):
            rename_new(self.processing / place, free_name(self.quarantine, safe_name(path.name)))  # a link was put in its place meanwhile
            return []
        self.pace.note(status.st_size, now=now)
        if self.trigger:
            for companion in (path.with_name(path.name + self.trigger), path.with_name(path.stem + self.trigger)):
                companion.unlink(missing_ok=True)
        return [Claimed(place=place, name=path.name, folder=kind)]

    def left_over(self) -> list[Claimed]:
        """What lies in `processing/` without having been received by this process: what a crash left there."""
        lying = self.claimed()
        self._received &= {one.place for one in lying}
        return [one for one in lying if one.place not in self._received]

    def received(self, place: str) -> None:
        """A claimed file has its row; it need not be looked for again."""
        self._received.add(place)

    def claimed(self) -> list[Claimed]:
        """Everything in `processing/`: after a crash this is where work goes on."""
        found = []
        try:
            entries = sorted(os.scandir(self.processing), key=lambda e: e.name)
        except OSError as fault:
            raise trouble(self.processing, "cannot be read", fault) from fault
        for entry in entries:
            kind, _, rest = entry.name.partition(".")
            _token, _, name = rest.partition(".")
            if kind in self.inboxes and name:
                found.append(Claimed(place=entry.name, name=name, folder=kind))
        return found

    def facts(self, place: str) -> Facts:
        """Hash, size, time and first bytes of a claimed file, which is flushed to its disk: its writer may not have done so."""
        path = self._existing(self.processing / place)
        digest, size, head = hashlib.sha256(), 0, b""
        try:
            with self._open(path) as stream:
                while chunk := stream.read(CHUNK):
                    head = head or chunk[:HEAD]
                    digest.update(chunk)
                    size += len(chunk)
                if os.name != "nt":
                    os.fsync(stream.fileno())
                modified = datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime).astimezone()
        except OSError as fault:
            raise trouble(path.parent, f"did not give or keep {path.name}", fault) from fault
        return Facts(sha256=digest.hexdigest(), size=size, modified_at=modified, head=head)

    def read(self, place: str) -> Iterator[bytes]:
        """A file's bytes in chunks; `place` is in `processing/`, or where `plan` said."""
        path = self._existing(self.resolve(place))
        try:
            with self._open(path) as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
        except OSError as fault:
            raise trouble(path.parent, f"does not let {path.name} be read", fault) from fault

    def cut(self, place: str, start: int, end: int) -> bytes:
        """The bytes of a file from `start` (0 is the first) to before `end`, or to its end."""
        path = self._existing(self.resolve(place))
        try:
            with self._open(path) as stream:
                stream.seek(start)
                return stream.read(end - start)
        except OSError as fault:
            raise trouble(path.parent, f"does not let {path.name} be read", fault) from fault

    @staticmethod
    def _open(path: Path) -> IO[bytes]:
        """A file for reading; a link is not followed."""
        return os.fdopen(os.open(path, os.O_RDONLY | NO_FOLLOW), "rb")

    def resolve(self, place: str) -> Path:
        """Where a place is."""
        inside = self.processing / place
        return inside if "/" not in place and inside.exists() else self.archive_root.parent / place

    def plan(self, area: str, *, name: str, at: datetime) -> str:
        """Where a handled file shall go: `archive` (by day), `error` or `quarantine`."""
        home = {"archive": self.archive_root / f"{at:%Y/%m/%d}" / self.partner, "error": self.error, "quarantine": self.quarantine}[area]
        return free_name(home, safe_name(name)).relative_to(self.archive_root.parent).as_posix()

    def move(self, place: str, target: str) -> None:
        """Move a file to its planned place; done already is done."""
        for folder in self.move_unflushed(place, target):
            sync_folder(folder)

    def move_unflushed(self, place: str, target: str) -> tuple[Path, Path]:
        """The same, with the two folders left to be flushed before anybody says that it is done: for several moves at once."""
        source, goal = self.resolve(place), self.archive_root.parent / target
        touched = (goal.parent, source.parent if source.exists() else self.processing)
        if not source.exists() and goal.exists():
            return touched
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise trouble(goal.parent, "cannot be made", fault) from fault
        if _left_by_a_crash(source, goal):
            source.unlink()
            return touched
        rename_new(source, goal)
        return touched

    def explain_partial(self, *, name: str, number: int, side_text: str, rest: bytes | None) -> None:
        """Put a side file (and the bad documents alone) into the error folder for a file that was partly applied.

        What lies there of another file with the same name stays; `number` then tells them apart. The same again changes nothing.
        """
        ending = Path(name).suffix or ".edi"
        for stem in (safe_name(name), numbered(safe_name(name), number)):
            wanted = {self.error / f"{stem}.txt": side_text.encode()} | ({} if rest is None else {self.error / f"{stem}.to-correct{ending}": rest})
            if all(not path.exists() or path.read_bytes() == content for path, content in wanted.items()):
                break
        for path, content in wanted.items():
            durable_write(path, content)

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
        """Write a file completely into staging, encrypted where the partner wants it; writing it again is harmless."""
        durable_write(self.staging / name, self.seal(content) if self.seal else content)

    def is_staged(self, name: str) -> bool:
        """Whether a file waits in staging; FolderTroubleError when staging itself is away, for then nobody knows."""
        self.check(self.staging)
        return (self.staging / name).exists()

    def discard_staged(self, name: str) -> None:
        """Drop a staged file that will be written again under another name."""
        (self.staging / name).unlink(missing_ok=True)

    def put(self, name: str, *, kind: str) -> None:
        """Move a staged file into the outbox: it appears whole, and over nothing."""
        outbox = self.outboxes[kind]
        self.check(outbox)
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


def _left_by_a_crash(source: Path, goal: Path) -> bool:
    """Whether the goal is a copy of the source, made on another disk before a crash; on one disk a move leaves no copy, and equal bytes are another file."""
    return source.exists() and goal.exists() and source.stat().st_dev != goal.stat().st_dev and same_bytes(source, goal)
