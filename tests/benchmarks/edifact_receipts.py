"""How fast a file of RECADV messages becomes checked messages, against a bare tokenizer of the same file and against pydifact.

Run it as `python tests/benchmarks/edifact_receipts.py [megabytes] [--memory]`. All are measured in one run, in turn, processor time, best of five:
(a) the bare tokenizer cuts the stream into segments, elements and components, honours the release character, and holds them block by block;
(b) `edifact.read_messages` checks envelope, counts, order, elements and codes; (c) the same, with every `Segment` made;
(d) pydifact, where it is installed, tokenises a piece of one megabyte at most: it needs the whole text.
"""

import argparse
import re
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.edi import edifact

CHUNK = 1 << 16
HEAD = "UNA:+.? '\r\nUNB+UNOC:3+CEDARWMS:ZZ+NORTHPEAK:ZZ+260721:1612+2207'\r\n"
MESSAGE = (
    "UNH+{n}+RECADV:D:96A:UN'\r\nBGM+632+CW{n:07d}+9'\r\nDTM+137:20260721:102'\r\nDTM+50:20260721:102'\r\nRFF+AAK:R{n:07d}'\r\nRFF+ALQ:R{n:07d}'\r\n"
    "NAD+SU+NORTHPEAK::92'\r\nNAD+DP+DC04::92'\r\nCPS+1'\r\n{lines}CNT+2:{number}'\r\nUNT+{count}+{n}'\r\n"
)
LINE = "LIN+{line}++614141{upc:07d}:UP'\r\nPIA+1+SHOE-{sku:05d}-{size}:SA'\r\nQTY+48:{q}'\r\nRFF+LI:{line}'\r\n"


def make(megabytes: float) -> Iterator[bytes]:
    """The bytes of a file of about so many megabytes, messages of 19 to 27 segments, no two alike."""
    held, made, n = HEAD, 0, 0
    while made < megabytes * 1e6:
        n += 1
        numbers = range(1, 3 + n % 3)
        lines = "".join(LINE.format(q=1 + (n + k) % 3, sku=(n * 7 + k) % 99991, size=36 + k, upc=n * 3 + k, line=k) for k in numbers)
        held += MESSAGE.format(n=n, lines=lines, number=len(numbers), count=11 + 4 * len(numbers))
        if len(held) >= CHUNK:
            made += len(held)
            yield held.encode("ascii")
            held = ""
    yield (held + f"UNZ+{n}+2207'\r\n").encode("ascii")


def bare_tokens(chunks: Iterable[bytes]) -> int:
    """Segments, elements and components as strings, block by block; a piece with a release character is cut by patterns."""
    rest, segments = "", 0
    cut_segments, cut_elements, cut_components = (re.compile(rf"((?:[^{each}?]|\?.)*){each}?") for each in ("'", "+", ":"))
    for chunk in chunks:
        text = rest + chunk.decode("latin-1")
        *whole, rest = cut_segments.findall(text) if "?" in text else text.split("'")
        held = []
        for piece in whole:
            body = piece.lstrip("\r\n")
            if "?" in body:
                held.append([cut_components.findall(element) for element in cut_elements.findall(body)])
            else:
                held.append([element.split(":") for element in body.split("+")])
        segments += len(held)
    return segments


def check(chunks: Iterable[bytes]) -> int:
    """Messages, all of them checked and accepted; their `Segment` values are made when somebody asks."""
    messages = 0
    for event in edifact.read_messages(chunks):
        if isinstance(event, edifact.Message):
            assert event.accepted and not event.findings, event.findings
            messages += 1
    return messages


def read(chunks: Iterable[bytes]) -> int:
    """The same, and every segment with its position made a value."""
    return sum(len(event.segments) for event in edifact.read_messages(chunks) if isinstance(event, edifact.Message))


def pydifact_rate() -> float | None:
    """MB/s of pydifact on a small file, or None where it is not installed."""
    try:
        from pydifact.segmentcollection import Interchange
    except ImportError:
        return None
    text = b"".join(make(0.5)).decode("ascii")
    start = time.process_time()
    assert sum(len(message.segments) for message in Interchange.from_str(text).get_messages())
    return len(text) / 1e6 / (time.process_time() - start)


def measure(megabytes: float) -> None:
    chunks = list(make(megabytes))
    size = sum(map(len, chunks)) / 1e6
    works = {"bare tokenizer": bare_tokens, "checked": check, "with segments": read}
    best = dict.fromkeys(works, 9e9)
    for _ in range(5):
        for name, work in works.items():
            start = time.process_time()
            work(chunks)
            best[name] = min(best[name], time.process_time() - start)
    print(f"file           {size:8.1f} MB, {bare_tokens(chunks)} segments")
    for name, seconds in best.items():
        print(f"{name:14s} {size / seconds:8.1f} MB/s, {best['bare tokenizer'] / seconds:5.2f} of the bare tokenizer")
    rate = pydifact_rate()
    print(f"pydifact       {rate:8.2f} MB/s" if rate else "pydifact       is not installed")
    print("reach: checked messages at 0.5 of the bare tokenizer")


def measure_memory(megabytes: float) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    segments = read(make(megabytes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{megabytes:.0f} MB, {segments} segments, {time.process_time() - start:.1f} s with making the file")
    print(f"peak memory   {peak / 1024:8.1f} MB, {(peak - before) / 1024:.1f} MB above the loaded interpreter (reach: 40)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megabytes", nargs="?", type=float, default=5)
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    (measure_memory if given.memory else measure)(given.megabytes)
