"""Writing and renaming so that a power cut loses nothing: the file flushed before its rename, the folder after it, never over an existing file.

A flush that fails is trouble with that folder, and whoever works in it stops: what was not flushed is not there (a second fsync may lie).
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from pathlib import Path

from gateway.errors import PermanentError, TemporaryError
from gateway.folders.naming import numbered

RENAME_NOREPLACE = 1
AT_FDCWD = -100
CHUNK = 256 * 1024
NO_FOLDER_FSYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # some network file systems flush by themselves and offer no call


class FolderTroubleError(TemporaryError):
    """A folder is missing, read-only, full or unreachable; this partner pauses and goes on by itself when it is back."""


class NameTakenError(PermanentError):
    """A file with this name is there already; it is never overwritten."""


class GoneError(PermanentError):
    """The file is no longer where it was left."""


def free_name(folder: Path, name: str) -> Path:
    """A name that is not taken in the folder."""
    path, number = folder / name, 2
    while path.exists() or path.is_symlink():
        path = folder / numbered(name, number)
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
        _drop(temporary)
        raise trouble(path.parent, "cannot be written", fault) from fault
    sync_folder(path.parent)


def _drop(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # its disk is the trouble; the next try writes over it


def trouble(folder: Path, what: str, fault: OSError) -> FolderTroubleError:
    """A fault of the system, in words."""
    return FolderTroubleError(f"{folder} {what} ({fault.strerror or fault})")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk (Windows does it by itself and offers no call)."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as fault:
        if fault.errno not in NO_FOLDER_FSYNC:
            raise trouble(folder, "could not be flushed to its disk", fault) from fault


def sync_file(path: Path) -> None:
    """Flush a file's bytes to the disk."""
    try:
        with path.open("r+b") as stream:
            os.fsync(stream.fileno())
    except FileNotFoundError as fault:
        raise GoneError(f"{path.name} is no longer in {path.parent}") from fault
    except OSError as fault:
        raise trouble(path.parent, f"did not keep {path.name}", fault) from fault


def rename_new(source: Path, target: Path) -> None:
    """Rename, never over an existing file: in one system call where the kernel offers it. Between two disks: copy, flush, rename, then drop the source."""
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
        if fault.errno != errno.EXDEV:
            raise FolderTroubleError(f"{source.name} could not be moved to {target.parent} ({fault.strerror})") from fault
        _carry(source, target)


def _carry(source: Path, target: Path) -> None:
    """Move between two file systems; the source goes only when the copy is on its disk."""
    copy = target.with_name(f".{target.name}.copy.tmp")
    try:
        with source.open("rb") as given, copy.open("wb") as taken:
            while chunk := given.read(CHUNK):
                taken.write(chunk)
            taken.flush()
            os.fsync(taken.fileno())
        times = source.stat()
        os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    except OSError as fault:
        _drop(copy)
        raise trouble(target.parent, f"did not take {source.name}", fault) from fault
    rename_new(copy, target)
    sync_folder(target.parent)
    source.unlink(missing_ok=True)


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same."""
    return one.stat().st_size == other.stat().st_size and digest(one) == digest(other)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


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
