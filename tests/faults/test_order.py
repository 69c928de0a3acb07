"""A power cut is survived: what the system is asked to do comes in an order that leaves nothing half on the disk.

Watched with strace: a file that we rename was flushed after its last write; a folder in which something was renamed is flushed before the next commit of
the book; a partner's file, which its writer may not have flushed, is flushed by us before it is put away; and a commit of the book is itself a flush.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.simulator.world import open_known_return
from tests.stage import Stage

CALLS = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"
LINE = re.compile(r"^\d+\s+(\w+)\((.*)\)\s+=\s+(-?\d+)")
FD = re.compile(r"^\d+<([^>]*)>")
OURS = ("/inbox/", "/outbox/", "/var/")


@dataclass
class Disk:
    """What would survive a power cut, as far as the calls tell."""

    unflushed: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    flushed: set[str] = field(default_factory=set)
    claimed: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    commits: int = 0
    renames: int = 0

    def see(self, call: str, arguments: str) -> None:
        """Follow one call."""
        found = FD.match(arguments)
        path = found.group(1) if found else ""
        if call in ("write", "pwrite64"):
            self.unflushed.add(path)
        elif call in ("fsync", "fdatasync"):
            if path.endswith("-wal"):
                self._commit()
            self.unflushed.discard(path)
            self.flushed.add(path)
            self.claimed.discard(path)
            self.folders.discard(path)
        elif call.startswith("rename"):
            self._rename(*re.findall(r'"([^"]*)"', arguments)[:2])

    def _rename(self, source: str, target: str) -> None:
        if source in self.claimed:
            self.broken.append(f"{source} was put away, but never flushed")
        if source in self.unflushed:
            self.broken.append(f"{source} was renamed before it was flushed")
        if "/inbox/" in source and source not in self.flushed:
            self.claimed.add(target)
        self.renames += 1
        self.folders |= {os.path.dirname(source), os.path.dirname(target)}

    def _commit(self) -> None:
        self.commits += 1
        self.broken += [f"the book was committed before {path} was flushed" for path in self.folders]


def watched(stage: Stage, trace: Path) -> Disk:
    """One `run-once` under strace, and what it left to chance."""
    command = [
        "strace",
        "-f",
        "-y",
        "-s",
        "300",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(trace),
        sys.executable,
        "-m",
        "gateway",
        "run-once",
        "--config",
        str(stage.folder),
    ]
    subprocess.run(command, env={**os.environ, **stage.environment}, check=False, capture_output=True, timeout=150)
    disk = Disk()
    for line in trace.read_text(errors="replace").splitlines():
        found = LINE.match(line)
        if (
            found
            and found.group(3) != "-1"
            and any(part in found.group(2) for part in OURS)
            and not re.search(r"/log/|running|\.lock|clock", found.group(2))
        ):
            disk.see(found.group(1), found.group(2))
    disk.broken += [f"{path} was never flushed" for path in disk.claimed]
    return disk


def can_trace() -> bool:
    """Whether strace is here and may be used."""
    return (
        shutil.which("strace") is not None and subprocess.run(["strace", "-o", os.devnull, "true"], check=False, capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace")
def test_it_flushes_files_and_folders_before_it_relies_on_them(stage: Stage, tmp_path: Path) -> None:
    open_known_return(stage.world, 77000001)
    stage.ctx.engine.dispose()
    first = watched(stage, tmp_path / "out")
    stage.atlas.step()
    second = watched(stage, tmp_path / "in")
    assert (first.broken, second.broken) == ([], [])
    assert min(first.renames, second.renames) >= 2
    assert min(first.commits, second.commits) > 5


def test_the_watch_sees_a_file_renamed_too_early_and_a_folder_flushed_too_late() -> None:
    disk = Disk()
    disk.see("write", '3</w/var/staging/.a.tmp>, "x", 1')
    disk.see("rename", '"/w/var/staging/.a.tmp", "/w/var/staging/a"')
    disk.see("fdatasync", "4</w/var/gateway.db-wal>")
    assert len(disk.broken) == 2
