"""An account of every byte of a file, made without the readers: what no event tells must be reported or blank."""

import re

from gateway.edi import edifact, x12
from gateway.edi.syntax import Finding

BLANK = b" \t\r\n\0\x1a\x0b\x0c"


def told(events):
    """Everything that events say, in a form that can be compared."""
    said = []
    for event in events:
        if isinstance(event, x12.TransactionSet):
            said.append((event.set_id, event.control, event.segments, list(event.findings), event.ordinal, event.offset, event.end_offset))
        elif hasattr(event, "segments"):
            said.append((event.segments, list(event.findings), event.offset, event.end_offset))
        else:
            said.append(event)
    return said


def findings_in(events) -> list[Finding]:
    return [finding for event in events for finding in ([event.finding] if hasattr(event, "finding") else getattr(event, "findings", []))]


def unaccounted_x12(data: bytes) -> list[bytes]:
    """Segments that no event tells and no finding reports; an interchange with any file or envelope finding is excused as a whole."""
    events = list(x12.read_sets([data]))
    if any(finding.code not in _HARMLESS for finding in findings_in(events) if finding.scope != "set"):
        return []
    spans = sorted((event.offset - 1, event.end_offset) for event in events if isinstance(event, x12.TransactionSet))
    rest, at = [], 0
    for start, end in spans:
        if start < at:
            return [data[start:end]]  # two sets tell the same bytes
        rest.append(data[at:start])
        at = end
    rest.append(data[at:])
    left = b"\n".join(rest).strip(BLANK + b"\xef\xbb\xbf")
    kinds = {x12.InterchangeStart: 2, x12.GroupStart: 2, x12.InterchangeAck: 1}
    expected = sum(kinds.get(type(event), 0) for event in events)
    terminators = {event.header.separators.terminator for event in events if isinstance(event, x12.InterchangeStart)}
    if len(terminators) > 1:
        return []
    wrapped = left.translate(None, b"\r\n") if terminators and not terminators & {b"\r", b"\n"} else left
    pieces = [piece for piece in wrapped.split(next(iter(terminators), b"~")) if piece.strip(BLANK)]
    joined = sum(piece.lstrip(BLANK)[:3].upper() == b"IEA" and b"ISA" in piece.upper() for piece in pieces)  # an IEA without a terminator
    return pieces if len(pieces) + joined != expected else []


def unaccounted_edifact(data: bytes) -> list[bytes]:
    """The same for EDIFACT."""
    events = list(edifact.read_messages([data]))
    if any(finding.code not in _HARMLESS for finding in findings_in(events) if finding.scope != "set"):
        return []
    starts = [event.header.delimiters for event in events if isinstance(event, edifact.InterchangeStart)]
    if len(set(starts)) > 1 or not starts:
        return []
    rest, at = [], 0
    for event in events:
        if isinstance(event, edifact.Message):
            if event.offset - 1 < at:
                return [data[event.offset - 1 : event.end_offset]]
            rest.append(data[at : event.offset - 1])
            at = event.end_offset
    rest.append(data[at:])
    left = re.sub(rb"(?i)UNA[^A-Za-z0-9]{6}(?=[\s\0\x1a]*UNB)", b"", b"\n".join(rest))
    expected = sum(2 for event in events if isinstance(event, edifact.InterchangeStart | edifact.GroupStart))
    terminator, release = re.escape(starts[0].terminator), starts[0].release
    released = rb"(?:%s.|[^%s%s])*" % (re.escape(release), terminator, re.escape(release)) if release else rb"[^%s]*" % terminator
    pieces = [piece for piece in re.findall(rb"(?s)" + released, left) if piece.strip(BLANK + b"\xef\xbb\xbf")]
    return pieces if len(pieces) != expected else []


_HARMLESS = {
    "x12.gs06-repeated",
    "x12.isa13-format",
    "x12.tag-case",
    "x12.isa-unpadded",
    "edifact.tag-case",
    "edifact.character-set",
    "edifact.ungrouped",
    "edifact.syntax-unknown",
    "edifact.ung-repeated",
}
