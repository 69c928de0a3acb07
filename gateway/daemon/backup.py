"""Backup while running, and restore, both verified (R-172).

A backup is a folder: the book (always as a SQLite file, whatever the database), the settings, profiles and templates, the files that are in hand, and
`manifest.json` with the hash of everything, also of the archive, which is copied when asked for. A restore checks the manifest first, writes only into an
empty place, and proves the book it wrote.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gateway.errors import PermanentError
from gateway.folders import PartnerFolders
from gateway.store import copying, database, files

BOOK = "gateway.db"
MANIFEST = "manifest.json"
IN_HAND = ("taken", "handled")


class BrokenBackupError(PermanentError):
    """The backup is not what its manifest says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """What belongs into a backup besides the book; `settings` are names under `root`."""

    root: Path
    settings: tuple[str, ...]
    folders: Mapping[str, PartnerFolders]
    archive: Path
    copy_archive: bool


def make(engine: Engine, target: Path, what: What, *, at: datetime) -> dict[str, Any]:
    """Back the book and its files up into an empty folder; what the manifest says."""
    if target.exists() and any(target.iterdir()):
        raise PermanentError(f"{target} is not empty; name a new folder, so that no earlier backup is touched")
    target.mkdir(parents=True, exist_ok=True)
    book = target / BOOK
    if engine.dialect.name == "sqlite":
        copying.copy_file(engine, book)
    else:
        _as_file(engine, book)
    kept = _open(book)
    try:
        manifest: dict[str, Any] = {"schema": "gateway-backup-1", "made_at": database.instant(at), "rows": copying.counts(kept)}
        for name in what.settings:
            _copy(what.root / name, target / "settings" / name)
        _keep_in_hand(kept, engine, what.folders, target / "in-hand")
    finally:
        kept.dispose()
    if what.copy_archive and what.archive.is_dir():
        shutil.copytree(what.archive, target / "archive")
    manifest["archive"] = {path.relative_to(what.archive).as_posix(): digest(path) for path in _files(what.archive)}
    manifest["archive_copied"] = what.copy_archive
    manifest["files"] = {path.relative_to(target).as_posix(): digest(path) for path in _files(target)}
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    check(target)
    return manifest


def _as_file(engine: Engine, book: Path) -> None:
    made = _open(book)
    try:
        copying.copy_book(engine, made)
    finally:
        made.dispose()


def _open(book: Path) -> Engine:
    return database.connect(f"sqlite:///{book}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        shutil.copy2(source, target)


def _keep_in_hand(kept: Engine, engine: Engine, folders: Mapping[str, PartnerFolders], target: Path) -> None:
    """Copy the files that the kept book calls in hand; those put away meanwhile are found where they are now."""
    with database.reading(kept) as connection:
        open_files = [file for file in files.list_files(connection) if file.direction == "in" and file.state in IN_HAND]
    for file in open_files:
        with database.reading(engine) as connection:
            now = files.load(connection, file.id) or file
        places = [folders[file.partner].resolve(place) for place in (file.place, now.place, now.next_place) if place and file.partner in folders]
        found = next((path for path in places if path.is_file()), None)
        if found:
            _copy(found, target / file.partner / file.place)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file()) if folder.is_dir() else iter(())


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check(backup: Path) -> dict[str, Any]:
    """Compare a backup with its manifest, and look into its book; what the manifest says."""
    try:
        manifest: dict[str, Any] = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise BrokenBackupError(f"{backup} has no readable {MANIFEST}; it is no backup, or it was not finished") from fault
    wrong = [name for name, wanted in manifest["files"].items() if not (backup / name).is_file() or digest(backup / name) != wanted]
    if wrong:
        raise BrokenBackupError(f"{backup}: missing or changed since it was made: {', '.join(wrong[:5])}")
    kept = _open(backup / BOOK)
    try:
        found, rows = database.check(kept), copying.counts(kept)
    finally:
        kept.dispose()
    if found or rows != manifest["rows"]:
        raise BrokenBackupError(f"{backup}: the book in it is not sound: {'; '.join(found) or 'other numbers of rows than when it was made'}")
    return manifest


def restore(backup: Path, engine: Engine, *, folders: Mapping[str, PartnerFolders], archive: Path, jump: int) -> dict[str, Any]:
    """Put a checked backup into an empty book and its files where they were; what was proven of it.

    Control numbers jump by `jump`, since numbers may have been used after the backup was made.
    """
    manifest = check(backup)
    kept = _open(backup / BOOK)
    try:
        proven = copying.copy_book(kept, engine)
    finally:
        kept.dispose()
    copying.jump_numbers(engine, jump)
    for partner, places in folders.items():
        for path in _files(backup / "in-hand" / partner):
            if not (places.processing / path.name).exists():
                _copy(path, places.processing / path.name)
    if (backup / "archive").is_dir():
        shutil.copytree(backup / "archive", archive, dirs_exist_ok=True)
    absent = [name for name, wanted in manifest["archive"].items() if not (archive / name).is_file() or digest(archive / name) != wanted]
    return {"tables": {name: asdict(proof) for name, proof in proven.items()}, "made_at": manifest["made_at"], "absent_from_archive": absent}
