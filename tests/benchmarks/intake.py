"""The whole intake against bare yardsticks of the same disk, in one run: many small files, files of ten sets, and one of 25 MB.

    python -m tests.benchmarks.intake [--files 1000] [--megabytes 25]

Small files: the bare folder floor (read, hash, a FULL commit, rename and flush, both ways, one file at a time). The large one: a bare split of its bytes
and one row inserted for each of its receipts with an event, in one commit.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from gateway.jobs import intake
from gateway.store import database
from tests.benchmarks.service import content, floor
from tests.stage import Stage

FLOOR_FILES = 200


def taken(stage: Stage, contents: list[bytes]) -> tuple[float, float]:
    """Seconds until all files are taken, read, answered and put away, and the processor's part of them."""
    inbox = stage.folder / "inbox" / "ATLAS"
    for data in contents:
        (inbox / f"{next(stage.numbers)}.edi").write_bytes(data)
    began, used = time.perf_counter(), time.process_time()
    while intake.take_files(stage.ctx, "ATLAS"):
        stage.worker.drain()
    return time.perf_counter() - began, time.process_time() - used


def split_and_insert(folder: Path, data: bytes) -> float:
    """Seconds of a bare split and of the same rows inserted."""
    engine = database.connect(f"sqlite:///{folder / 'bare.db'}")
    with database.writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE receipt (no TEXT UNIQUE, document TEXT)")
        connection.exec_driver_sql("CREATE TABLE event (no TEXT, text TEXT)")
    began = time.perf_counter()
    segments = [segment.split("*") for segment in data.decode("latin-1").split("~")]
    documents = [(segment[3], " ".join(segment) * 8) for segment in segments if segment[0].strip() == "W17"]
    with database.writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO receipt VALUES (?, ?)", documents)
        connection.exec_driver_sql("INSERT INTO event VALUES (?, ?)", documents)
    engine.dispose()
    return time.perf_counter() - began


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--megabytes", type=float, default=25)
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as name, Stage(Path(name) / "w") as stage:
        taken(stage, [content(1, 1)])
        for place, sets in enumerate((10, 1)):
            contents = [content(1 + number + (1 + place) * 100_000, sets) for number in range(asked.files)]
            bare = Path(name) / f"floor{sets}"
            bare.mkdir()
            yardstick = floor(bare, contents[:FLOOR_FILES])
            seconds, used = taken(stage, contents)
            speed = asked.files / seconds
            print(f"{asked.files} files of {sets} sets: {seconds:.1f} s ({used:.1f} s of processor), {speed:.0f} files/s")
            print(f"    bare folder floor {yardstick:.0f} files/s, ratio {speed / yardstick:.2f}")
        one = len(content(300_001, 100))
        big = content(300_002, int(asked.megabytes * 1_000_000 * 100 / one))
        yardstick = split_and_insert(Path(name), big)
        seconds, used = taken(stage, [big])
        print(f"one file of {len(big) / 1e6:.1f} MB: {seconds:.1f} s ({used:.1f} s of processor)")
        print(f"    bare split and rows {yardstick:.1f} s, ratio {yardstick / seconds:.2f}")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
