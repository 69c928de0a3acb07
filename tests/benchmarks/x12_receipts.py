"""How fast a file of 944 receipts becomes checked transaction sets, against a bare split of the same file.

Run it as `python tests/benchmarks/x12_receipts.py [megabytes] [--memory]`. All are measured in one run, in turn, processor time, three to nine rounds:
(a) the bare split decodes the stream, cuts it into segments and elements, and holds them as strings, one block at a time;
(b) `x12.read_sets` checks envelope, counts, order, elements, codes and relations, with positions for every segment;
(c) the same, with every `Segment` made.
With `--memory` the file is made and read block by block in a process of its own, and its peak memory is printed.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.edi import x12
from tests.benchmarks import measuring

CHUNK = 1 << 16
HEAD = (
    "ISA*00*          *00*          *ZZ*JUNIPER3PL     *ZZ*ACMESHOES      *260310*1405*U*00401*000000901*0*T*>~\n"
    "GS*RE*JUNIPER3PL*ACMESHOES*20260310*1405*901*X*004010~\n"
)
SET = (
    "ST*944*{n:09d}~\nW17*C*20260310*JW{n:08d}*RA{n:07d}*RA{n:07d}~\nN1*WH*JUNIPER DC 2*92*DC02~\nN9*RZ*RA{n:07d}~\n"
    "G62*19*20260310~\nW08*U*UPSN~\n{lines}W14*{total}*{total}~\nSE*{count}*{n:09d}~\n"
)
LINE = "W07*{q}*EA**SK*SHOE-{sku:05d}-{size}*UP*61414{upc:07d}~\nN9*LI*{line}~\n"


def make(megabytes: float, items: int = 99991) -> Iterator[bytes]:
    """The bytes of a file of about so many megabytes, sets of 12 to 16 segments, no two alike; how many items their lines name."""
    held, made, n = HEAD, 0, 0
    while made < megabytes * 1e6:
        n += 1
        numbers = range(1, 3 + n % 3)
        lines = "".join(
            LINE.format(q=1 + (n + k) % 3, sku=(n * 7 + k) % items, size=36 + k, upc=(n * 7 + k) % items * 4 + k, line=k) for k in numbers
        )
        total = sum(1 + (n + k) % 3 for k in numbers)
        held += SET.format(n=n, lines=lines, total=total, count=8 + 2 * len(numbers))
        if len(held) >= CHUNK:
            made += len(held)
            yield held.encode("ascii")
            held = ""
    yield (held + f"GE*{n}*901~\nIEA*1*000000901~\n").encode("ascii")


def bare_split(chunks: Iterable[bytes]) -> int:
    """Segments and elements held as strings, block by block."""
    rest = ""
    segments = 0
    for chunk in chunks:
        *whole, rest = (rest + chunk.decode("ascii")).split("~")
        held = [piece.lstrip("\n").split("*") for piece in whole]
        segments += len(held)
    return segments


def check(chunks: Iterable[bytes]) -> int:
    """Sets, all of them checked and accepted; their `Segment` values are made when somebody asks."""
    sets = 0
    for event in x12.read_sets(chunks):
        if isinstance(event, x12.TransactionSet):
            assert event.accepted and not event.findings
            sets += 1
    return sets


def read(chunks: Iterable[bytes]) -> int:
    """The same, and every segment with its position made a value."""
    return sum(len(event.segments) for event in x12.read_sets(chunks) if isinstance(event, x12.TransactionSet))


def measure(megabytes: float) -> None:
    chunks = list(make(megabytes))
    size = sum(map(len, chunks)) / 1e6
    works = {name: partial(work, chunks) for name, work in (("bare split", bare_split), ("checked sets", check), ("with segments", read))}
    print(f"file {size:.1f} MB, {bare_split(chunks)} segments")
    measuring.show(measuring.in_turn(works, rounds=max(3, min(9, round(100 / megabytes)))), size)
    print("reach: checked sets at 0.35 of the bare split")


def measure_memory(megabytes: float) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    segments = read(make(megabytes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{megabytes:.0f} MB, {segments} segments, {time.process_time() - start:.1f} s with making the file")
    print(f"peak memory   {peak / 1024:8.1f} MB, {(peak - before) / 1024:.1f} MB above the loaded interpreter (reach: 40)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megabytes", nargs="?", type=float, default=10)
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    (measure_memory if given.memory else measure)(given.megabytes)
