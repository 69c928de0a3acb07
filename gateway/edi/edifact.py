"""EDIFACT files read as a stream of events, message by message, every byte accounted for; written in `edifact_write`.

The same contract as `x12`: findings, never exceptions; one message in memory; headers and trailers compared as sent; what is not inside an
interchange is a `FileFinding`. The library pydifact serves in the tests as a second opinion on what is written here; it reads too slowly
and checks too little to stand in the way of a partner's file (`docs/performance.md` has the figures). CONTRL and APERAK are in `edifact_answers`.
"""

import re
from collections.abc import Iterable, Iterator

from gateway.edi.edifact_faults import fault
from gateway.edi.edifact_interchange import Interchange
from gateway.edi.edifact_parts import (
    Delimiters,
    Event,
    GroupEnd,
    GroupHeader,
    GroupStart,
    InterchangeEnd,
    InterchangeHeader,
    InterchangeStart,
    Message,
    Segment,
)
from gateway.edi.edifact_split import INTERCHANGE_START, MESSAGE_START, WINDOW, find_header
from gateway.edi.edifact_write import Envelope, UnwritableValue, clean, parse_body, write_interchange, write_message
from gateway.edi.syntax import Finding
from gateway.edi.x12_header import BLANKS, BOM, Source, sniff
from gateway.edi.x12_parts import DEFAULT, FileFinding, Strictness

__all__ = [
    "Delimiters",
    "Envelope",
    "Event",
    "FileFinding",
    "GroupEnd",
    "GroupHeader",
    "GroupStart",
    "InterchangeEnd",
    "InterchangeHeader",
    "InterchangeStart",
    "Message",
    "Segment",
    "Strictness",
    "UnwritableValue",
    "clean",
    "is_complete",
    "parse_body",
    "read_messages",
    "write_interchange",
    "write_message",
]

_SKIP = 1 << 16
_MARGIN = 64  # a UNA, UNB or UNH may begin in the last bytes held
_UNZ = re.compile(rb"(?<![A-Za-z0-9])UNZ[^A-Za-z0-9\s\0][0-9]*[^A-Za-z0-9\s\0][^\r\n']*", re.IGNORECASE)


def read_messages(chunks: Iterable[bytes], *, strictness: Strictness = DEFAULT) -> Iterator[Event]:
    """The events of a file, in its order."""
    source = Source(chunks)
    source.fill(WINDOW)
    kind = sniff(source.held[:WINDOW])
    seen = False
    while True:
        for finding in _skip_to_interchange(source, kind, seen):
            yield FileFinding(strictness.settle(finding))
        if not source.held:
            return
        seen = True
        source.fill(WINDOW)
        found = find_header(source.held[:WINDOW])
        if found is None:
            sample = ascii(source.held[:20].decode("latin-1"))
            yield FileFinding(strictness.settle(fault("edifact.unb-unreadable", found=sample, offset=source.start + 1)))
            source.drop(3)
            continue
        yield from Interchange(source, found, strictness).events()


def _skip_to_interchange(source: Source, kind: str, seen: bool) -> list[Finding]:
    """Drop what stands in front of the next UNA or UNB, or up to the end, and say what it was."""
    start = source.start
    sample = b""
    has_messages = False
    while True:
        source.fill(_SKIP)
        match = INTERCHANGE_START.search(source.held)
        end = match.start() if match else len(source.held)
        if match is None and not source.ended:
            end = max(end - _MARGIN, 0)
        sample = sample or source.held[:end].removeprefix(BOM).strip(BLANKS)[:20]
        has_messages = has_messages or bool(MESSAGE_START.search(source.held, 0, end + _MARGIN))
        source.drop(end)
        if match or (source.ended and not source.held):
            break
    skipped = source.start - start
    if not sample:
        return [] if seen or match else [fault("edifact.empty")]
    if has_messages:
        return [fault("edifact.headless", found=skipped, offset=start + 1)]
    if seen or match:
        return [fault("edifact.garbage", found=skipped, offset=start + 1)]
    if kind == "x12":
        return [fault("edifact.x12", offset=start + 1)]
    return [fault("edifact.not-edi", found=ascii(sample.decode("latin-1")), offset=start + 1)]


def is_complete(tail: bytes, head: bytes) -> bool:
    """Whether the last interchange of a file has its UNZ, judged by its first and last bytes; true for what is not EDIFACT."""
    if sniff(head) != "edifact" and not INTERCHANGE_START.search(tail):
        return True
    tail = tail.translate(None, b"\r\n")
    opened = max((match.start() for match in INTERCHANGE_START.finditer(tail)), default=-1)
    closings = list(_UNZ.finditer(tail, max(opened, 0)))
    return bool(closings) and closings[-1].end() < len(tail)
