"""ZIP and GZIP files of a partner: what is inside, within limits, or why it is refused.

Refused as a whole, before anything of it is used: an entry that names a path outside (`..`, a root, a drive), a link, an encrypted entry, a packed file
inside a packed file, more files than `count`, more bytes than `largest`, or more than `ratio` times the packed size (a bomb). Sizes are counted while
unpacking; what an archive says of itself is not believed.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, cast

from gateway.errors import PermanentError
from gateway.folders.durable import CHUNK, trouble

FREE = 1024 * 1024  # up to this size the ratio does not matter
MARKS = ((b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x1f\x8b", "gzip"), (b"-----BEGIN PGP MESSAGE", "pgp"))
ENCRYPTED = 0x1


class PackedError(PermanentError):
    """A packed file cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The limits of unpacking."""

    largest: int
    ratio: float
    count: int


def packed_kind(head: bytes) -> str:
    """How a file is packed by its first bytes; empty when it is not."""
    return next((kind for mark, kind in MARKS if head.startswith(mark)), "")


def is_spreadsheet(path: Path) -> bool:
    """Whether a ZIP is an office document, which is a document and no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def unpack(path: Path, *, kind: str, name: str, room: Room, into: Path) -> list[str]:
    """Unpack a file into `into` as 0, 1, 2 …, flushed; the names of what was inside, in that order."""
    try:
        inside = _zip(path, room) if kind == "zip" else _gzip(path, name)
        names: list[str] = []
        used = 0
        for inner, stream in inside:
            with stream:
                used = _write(stream, into / str(len(names)), used=used, packed=path.stat().st_size, room=room)
            names.append(inner)
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, NotImplementedError) as fault:
        raise PackedError(f"the {kind.upper()} is damaged ({fault})") from fault
    if not names:
        raise PackedError(f"the {kind.upper()} holds no file")
    return names


def _zip(path: Path, room: Room) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > room.count:
            raise PackedError(f"the ZIP holds {len(entries)} files; at most {room.count} are taken (unpack.count)")
        for entry in entries:
            _check_entry(entry)
        for entry in entries:
            yield PurePath(entry.filename.replace("\\", "/")).name, archive.open(entry)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    parts = entry.filename.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or re.match(r"^[A-Za-z]:", entry.filename):
        raise PackedError(f"the ZIP names a path outside: {entry.filename!r}")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise PackedError(f"the ZIP holds a link: {entry.filename!r}")
    if entry.flag_bits & ENCRYPTED:
        raise PackedError(f"{entry.filename!r} in the ZIP is encrypted; send it without a password, or use PGP")


def _gzip(path: Path, name: str) -> Iterator[tuple[str, IO[bytes]]]:
    inner = name[: -len(".gz")] if name.lower().endswith(".gz") else name
    yield inner or "unpacked", cast(IO[bytes], gzip.GzipFile(path))


def _write(stream: IO[bytes], target: Path, *, used: int, packed: int, room: Room) -> int:
    try:
        with target.open("wb") as out:
            while chunk := stream.read(CHUNK):
                if out.tell() == 0 and packed_kind(chunk) and not _is_office(chunk):
                    raise PackedError("a packed file lies inside the packed file; send it packed once")
                used += len(chunk)
                if used > room.largest:
                    raise PackedError(f"it unpacks to more than {room.largest} bytes (unpack.largest)")
                if used > max(packed * room.ratio, FREE):
                    raise PackedError(f"it unpacks to more than {room.ratio:g} times its size (unpack.ratio)")
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
    except (gzip.BadGzipFile, zipfile.BadZipFile):
        raise
    except OSError as fault:
        raise trouble(target.parent, "cannot be written", fault) from fault
    return used


def _is_office(head: bytes) -> bool:
    return b"[Content_Types].xml" in head[:2048]
