"""The running service: time to ready, a backlog of files, one very large file, and the memory of it all.

    python -m tests.benchmarks.service [--files 1000] [--sets 10] [--megabytes 200]

The yardstick of the backlog is the bare folder floor of the same disk: read, hash, a FULL commit, rename and flush, both ways, one file at a time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, select

from gateway.daemon import lock
from gateway.simulator.partner_files import Envelope, Receipt, make_944_file
from gateway.store import database
from gateway.store.schema import files
from tests.stage import make_workspace

KEYS = {
    "GATEWAY_LOOP_BASE_URL": "http://127.0.0.1:9",
    "GATEWAY_LOOP_API_KEY": "k",
    "GATEWAY_SHOPIFY_BASE_URL": "http://127.0.0.1:9",
    "GATEWAY_SHOPIFY_TOKEN": "t",
}


def content(number: int, sets: int, *, noted: bool = False) -> bytes:
    """A file with so many 944s of two lines, for RAs that are not known yet; `noted`: each lacks its N1, which is a finding."""
    one = Receipt(lines=(("TEE-BLK-M", 1), ("HOOD-GRY-M", 1)), warehouse="" if noted else "NJ1")
    receipts = [(f"RA{number:06d}{place:06d}"[:16], replace(one, receipt_no=f"W{number:05d}{place:06d}")) for place in range(sets)]
    return make_944_file(receipts, Envelope(number=number))


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """`gateway run`, and the seconds it took to be ready."""
    began = time.perf_counter()
    with (folder / "run.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", "--config", str(folder)],
            env={**os.environ, **KEYS, "GATEWAY_UI_LISTEN": "off"},
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: lock.is_running(folder / "var"), process)
        yield process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(25)


def until(true: Callable[[], bool], process: subprocess.Popen[bytes], *, seconds: float = 900) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end or process.poll() is not None:
            raise SystemExit(f"it did not happen; exit code {process.poll()}")
        time.sleep(0.05)


def shelved(folder: Path) -> int:
    """How many files came to their end."""
    engine = database.connect(f"sqlite:///{folder / 'var' / 'gateway.db'}")
    with database.reading(engine) as connection:
        count: int = connection.execute(
            select(func.count()).select_from(files).where(files.c.direction == "in", files.c.state == "shelved")
        ).scalar_one()
    engine.dispose()
    return count


def memory(process: subprocess.Popen[bytes]) -> float:
    """The most memory a process has had, in megabytes."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def floor(folder: Path, contents: list[bytes]) -> float:
    """The bare folder floor: files a second."""
    source, target = folder / "a", folder / "b"
    source.mkdir()
    target.mkdir()
    for number, data in enumerate(contents):
        (source / str(number)).write_bytes(data)
    engine = database.connect(f"sqlite:///{folder / 'floor.db'}")
    with database.writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (hash TEXT)")
    began = time.perf_counter()
    for number in range(len(contents)):
        digest = hashlib.sha256((source / str(number)).read_bytes()).hexdigest()
        with database.writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", (digest,))
        for here, there in ((source, target), (target, source)):
            os.rename(here / str(number), there / str(number))
            for place in (here, there):
                descriptor = os.open(place, os.O_RDONLY)
                os.fsync(descriptor)
                os.close(descriptor)
    engine.dispose()
    return len(contents) / (time.perf_counter() - began)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--sets", type=int, default=10)
    parser.add_argument("--megabytes", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = floor(folder, [content(1 + number, asked.sets) for number in range(min(asked.files, 100))])
        make_workspace(folder, periods="[periods]\nscan = 0.5\n")
        with running(folder) as (process, ready):
            print(f"ready in {ready:.1f} s; memory {memory(process):.0f} MB")
            inbox = folder / "inbox" / "ATLAS"
            for number in range(asked.files):
                (inbox / f"{number}.edi").write_bytes(content(1 + number, asked.sets))
            began = time.perf_counter()
            until(lambda: shelved(folder) >= asked.files, process)
            speed = asked.files / (time.perf_counter() - began)
            print(
                f"{asked.files} files of {asked.sets} sets: {asked.files / speed:.1f} s, {speed:.0f} files/s; floor {bare:.0f} files/s, ratio {speed / bare:.2f}"
            )
            print(f"memory then {memory(process):.0f} MB")
            if asked.megabytes:
                one = content(99999, 2000)
                big = content(99998, asked.megabytes * 2000 * 1_000_000 // len(one))
                (inbox / "big.edi").write_bytes(big)
                began = time.perf_counter()
                until(lambda: shelved(folder) > asked.files, process)
                print(f"one file of {len(big) / 1e6:.0f} MB: {time.perf_counter() - began:.1f} s; most memory {memory(process):.0f} MB")


if __name__ == "__main__":
    main()
