"""X12 files read as a stream of events, set by set, every byte accounted for.

The envelope is checked here, the inside of a set by `dictionary`; both leave findings and never raise. Only one set is held
at a time. Headers and trailers are compared as sent: ST02/SE02 as text, GS06/GE02 as numbers, ISA13/IEA02 as nine digits.
What is not inside an interchange is a `FileFinding`. When an event or a fault is added, `x12_faults` and the reply in
`acknowledge` change with it. Delimiters are found in `x12_header`, bytes are split in `x12_split`, files written in `x12_write`.
"""

from collections.abc import Iterable, Iterator

from gateway.edi.syntax import Finding
from gateway.edi.x12_faults import fault
from gateway.edi.x12_header import (
    BLANKS,
    BOM,
    ISA_START,
    ISA_WINDOW,
    SET_START,
    Source,
    find_header,
    is_complete,
    sniff,
)
from gateway.edi.x12_interchange import Interchange
from gateway.edi.x12_parts import (
    DEFAULT,
    SET_NOT_SUPPORTED,
    Event,
    FileFinding,
    GroupEnd,
    GroupHeader,
    GroupStart,
    InterchangeAck,
    InterchangeEnd,
    InterchangeHeader,
    InterchangeStart,
    Segment,
    Separators,
    Strictness,
    TransactionSet,
)
from gateway.edi.x12_write import Envelope, UnwritableValue, check_body, clean, parse_body, write_acknowledgement, write_interchange, write_set

__all__ = [
    "DEFAULT",
    "SET_NOT_SUPPORTED",
    "Envelope",
    "Event",
    "FileFinding",
    "GroupEnd",
    "GroupHeader",
    "GroupStart",
    "InterchangeAck",
    "InterchangeEnd",
    "InterchangeHeader",
    "InterchangeStart",
    "Segment",
    "Separators",
    "Strictness",
    "TransactionSet",
    "UnwritableValue",
    "check_body",
    "clean",
    "is_complete",
    "parse_body",
    "read_sets",
    "sniff",
    "write_acknowledgement",
    "write_interchange",
    "write_set",
]

_SKIP = 1 << 16


def read_sets(chunks: Iterable[bytes], *, strictness: Strictness = DEFAULT) -> Iterator[Event]:
    """The events of a file, in its order."""
    source = Source(chunks)
    source.fill(ISA_WINDOW)
    kind = sniff(source.held[:ISA_WINDOW])
    if kind == "empty":
        source.fill(_SKIP)
        kind = sniff(source.held)
    seen = False
    while True:
        findings = _skip_to_isa(source, kind, seen)
        yield from (FileFinding(strictness.settle(finding)) for finding in findings)
        if not source.held:
            return
        seen = True
        source.fill(ISA_WINDOW)
        found = find_header(source.held[:ISA_WINDOW])
        if found is None:
            sample = ascii(source.held[:20].decode("latin-1"))
            yield FileFinding(strictness.settle(fault("x12.isa-unreadable", found=sample, offset=source.start + 1)))
            source.drop(3)
            continue
        yield from Interchange(source, found, strictness).events()


def _skip_to_isa(source: Source, kind: str, seen: bool) -> list[Finding]:
    """Drop what stands in front of the next ISA, or up to the end, and say what it was."""
    start = source.start
    sample = b""
    has_sets = False
    while True:
        source.fill(_SKIP)
        match = ISA_START.search(source.held)
        end = match.start() if match else len(source.held)
        if match is None and not source.ended:
            end = max(end - 16, 0)  # an ISA or ST may begin in the last bytes held
        sample = sample or source.held[:end].removeprefix(BOM).strip(BLANKS)[:20]
        has_sets = has_sets or bool(SET_START.search(source.held, 0, end + 8))
        source.drop(end)
        if match or (source.ended and not source.held):
            break
    skipped = source.start - start
    if not sample:
        return [] if seen or match else [fault("x12.empty")]
    if has_sets:
        return [fault("x12.headless", found=skipped, offset=start + 1)]
    if seen or match:
        return [fault("x12.garbage", found=skipped, offset=start + 1)]
    if kind == "edifact":
        return [fault("x12.edifact", offset=start + 1)]
    return [fault("x12.not-edi", found=ascii(sample.decode("latin-1")), offset=start + 1)]
