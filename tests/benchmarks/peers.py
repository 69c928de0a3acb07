"""How fast other Python readers take the same 944 file, where they are installed (the `bench` extra), in one run with ours.

Run it as `python tests/benchmarks/peers.py [megabytes]`. None of them has tables of a 944, so they only cut it into segments and count the envelope; ours checks
all. badx12 pins dicttoxml 1.7.4, which no longer installs from wheels; pydifact reads EDIFACT and is in `edifact_receipts.py`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.typed_receipts import receive
from tests.benchmarks.x12_receipts import bare_split, check, make


def pyx12(path: Path) -> int:
    """Segments of pyx12's reader, with its envelope checks."""
    from pyx12.x12file import X12Reader

    with path.open(encoding="ascii") as file:
        return sum(1 for _ in X12Reader(file))


def linuxforhealth(path: Path) -> int:
    """Segments of linuxforhealth-x12's reader."""
    from linuxforhealth.x12.io import X12SegmentReader

    with X12SegmentReader(str(path)) as reader:
        return sum(1 for _ in reader.segments())


def badx12(path: Path) -> int:
    """Segments of badx12's parser."""
    from badx12 import Parser  # type: ignore[import-not-found]

    return len(str(Parser().parse_document(str(path))))


def timed(name: str, size: float, work: Callable[[], int], yardstick: float | None) -> float | None:
    """Megabytes a second, printed; None when it does not install or cannot read the file."""
    start = time.process_time()
    try:
        count = work()
    except ImportError as fault:
        print(f"{name:22s} does not install here: {fault}")
        return None
    except Exception as fault:  # noqa: BLE001 - a peer may fail in any way, which is what is reported
        print(f"{name:22s} cannot read the file: {type(fault).__name__}: {str(fault)[:100]}")
        return None
    rate = size / (time.process_time() - start)
    print(f"{name:22s} {rate:8.2f} MB/s, {rate / (yardstick or rate):6.3f} of the bare split ({count} counted)")
    return rate


def main(megabytes: float) -> None:
    """Ours warmed up by one pass, as it runs in a service; then each once."""
    chunks = list(make(megabytes))
    size = sum(map(len, chunks)) / 1e6
    with tempfile.NamedTemporaryFile(suffix=".edi") as file:
        path = Path(file.name)
        path.write_bytes(b"".join(chunks))
        check(chunks)
        yardstick = timed("bare split", size, lambda: bare_split(chunks), None)
        timed("ours, checked", size, lambda: check(chunks), yardstick)
        timed("ours, typed receipts", size, lambda: receive(chunks), yardstick)
        for name, peer in (("pyx12", pyx12), ("linuxforhealth-x12", linuxforhealth), ("badx12", badx12)):
            timed(name, size, lambda peer=peer: peer(path), yardstick)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
