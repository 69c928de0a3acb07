"""One EDIFACT interchange while it is read: what is open, what was counted, and the events of it.

Counts and references are compared as sent (ISO 9735: 0020, 0048 and 0062 are text). Segments that belong to no open message are counted and
reported, never dropped without a word. A UNZ counts groups when there are groups, else messages.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from gateway.edi import edifact_check
from gateway.edi.edifact_faults import fault
from gateway.edi.edifact_parts import (
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
from gateway.edi.edifact_quick import Counts, QuickMessages
from gateway.edi.edifact_split import CHARACTER_SETS, LONGEST_SEGMENT, WINDOW, Block, FoundHeader, Splitter, segments_of, to_segment
from gateway.edi.syntax import Finding, has_error, number, with_lines
from gateway.edi.x12_header import Source
from gateway.edi.x12_parts import Strictness

MOST_REFERENCES = 50_000  # remembered in an interchange; beyond that repeats are not looked for
_STOPS = frozenset({"UNH", "UNT", "UNG", "UNE", "UNZ"})


class Interchange:
    """One interchange while it is read."""

    def __init__(self, source: Source, found: FoundHeader, strictness: Strictness) -> None:
        self.header = _to_header(found, source.start + 1)
        self._start_findings = _header_findings(self.header, found)
        self._strictness = strictness
        self._source = source
        window = source.held[:WINDOW]
        terminator = found.delimiters.terminator
        self.has_lines = b"\n" in window or terminator == b"\r"
        source.newline = b"\n" if b"\n" in window or not self.has_lines else b"\r"
        self._lines: dict[int, int] = {}
        self._remember(self.header.offset, source.lines + 1)
        source.drop(found.length)
        self._splitter = Splitter(source, found.delimiters, CHARACTER_SETS.get(self.header.syntax, "iso8859-1"))
        self._quick = QuickMessages(source, self, strictness)
        self._findings: list[Finding] = []
        self._whole = Counts()
        self._groups = 0
        self.group: GroupHeader | None = None
        self._group_references: set[str] = set()
        self._in_group = Counts()
        self._open: Block | None = None
        self._strays = 0
        self._first_stray = (0, "")
        self._closed = False
        self._handlers = {"UNH": self._unh, "UNT": self._unt, "UNG": self._ung, "UNE": self._une, "UNZ": self._unz}

    def events(self) -> Iterator[Event]:
        yield InterchangeStart(self.header, self._settle(self._start_findings))
        while not self._closed:
            if self._open is None and not self._strays:
                yield from self._quick.messages()
            block = self._splitter.next_block(one_message=self._quick.trying)
            if block is None:
                break
            for at, tag in enumerate(block.tags):
                if tag in _STOPS:
                    yield from self._handlers[tag](block, at)
                elif self._open is not None:
                    _take(self._open, block, at)
                else:
                    self._stray(block, at)
        yield from self._end()

    def _stray(self, block: Block, at: int) -> None:
        if not self._strays:
            self._first_stray = (block.offsets[at], block.tags[at])
            self._remember(block.offsets[at], block.lines[at])
        self._strays += 1

    def _settle_strays(self, code: str = "edifact.segment-outside") -> None:
        if self._strays:
            offset, tag = self._first_stray
            self._findings.append(fault(code, found=self._strays, offset=offset, tag=tag))
            self._strays = 0

    def _unh(self, block: Block, at: int) -> Sequence[Event]:
        events = self._finish()
        self._settle_strays()
        self._open = Block([], [], [], [], [])
        _take(self._open, block, at)
        return events

    def _unt(self, block: Block, at: int) -> Sequence[Event]:
        if self._open is None:
            self._stray(block, at)
            self._settle_strays("edifact.unh-missing")
            return ()
        _take(self._open, block, at)
        return self._finish()

    def _ung(self, block: Block, at: int) -> Sequence[Event]:
        events = [*self._finish(), *self._finish_group(None)]
        self._settle_strays()
        segment = self._segment(block, at)
        self._groups += 1
        repeated = segment.get(5) in self._group_references
        if len(self._group_references) < MOST_REFERENCES:
            self._group_references.add(segment.get(5))
        self.group = GroupHeader(
            functional_id=segment.get(1),
            sender=segment.get(2),
            recipient=segment.get(3),
            control=segment.get(5),
            offset=segment.offset,
        )
        self._in_group = Counts()
        if repeated:
            found = fault("edifact.ung-repeated", found=segment.get(5), offset=segment.offset, tag="UNG", element=5)
            self._in_group.findings.append(found)
        return [*events, GroupStart(self.group, self.header)]

    def _une(self, block: Block, at: int) -> Sequence[Event]:
        events = list(self._finish())
        self._settle_strays()
        segment = self._segment(block, at)
        if self.group is None:
            self._findings.append(fault("edifact.ung-missing", offset=segment.offset, tag="UNE"))
            return events
        return [*events, *self._finish_group(segment)]

    def _unz(self, block: Block, at: int) -> Sequence[Event]:
        events = [*self._finish(), *self._finish_group(None)]
        self._settle_strays()
        self._closed = True
        segment = self._segment(block, at)
        counted = self._groups or self._whole.messages
        if number(segment.get(1)) != counted:
            self._find("edifact.unz01-count", segment, 1, counted)
        if segment.get(2) != self.header.control:
            self._find("edifact.unz02-reference", segment, 2, self.header.control)
        return events

    def _find(self, code: str, segment: Segment, element: int, expected: object) -> None:
        found = segment.get(element)
        self._findings.append(fault(code, found=found, expected=expected, offset=segment.offset, tag=segment.tag, element=element))

    def _segment(self, block: Block, at: int) -> Segment:
        self._remember(block.offsets[at], block.lines[at])
        return to_segment(block.texts[at], at + 1, block.offsets[at], self._splitter.marks)

    def _finish(self) -> Sequence[Event]:
        """Close the open message, checked."""
        if self._open is None:
            return ()
        block, self._open = self._open, None
        segments = segments_of(block.texts, block.offsets, self._splitter.marks)
        opening = segments[0]
        identity = (opening.get(1), opening.get(2), opening.get(2, 2), opening.get(2, 3))
        findings = [*_opening_findings(opening), *_trailer_findings(segments, identity[0])]
        findings += self.count(identity[0], opening.offset)
        findings += edifact_check.checker_for(*identity[1:]).judge(segments, self.header.delimiters)
        if findings:
            lines = dict(zip(block.offsets, block.lines, strict=True)) if self.has_lines else {}
            findings = self._strictness.settle_all(with_lines(findings, lines))
        counts = self.counts
        message = Message(
            identity=identity,
            segments=segments,
            findings=findings,
            interchange=self.header,
            group=self.group,
            ordinal=counts.messages,
            offset=block.offsets[0],
            end_offset=block.ends[-1],
        )
        counts.accepted += message.accepted
        return (message,)

    @property
    def counts(self) -> Counts:
        """The counts that the next message belongs to."""
        return self._in_group if self.group is not None else self._whole

    def count(self, reference: str, offset: int) -> list[Finding]:
        """Count one more message; a finding when its reference was used before."""
        counts = self.counts
        counts.messages += 1
        if reference in counts.references:
            return [fault("edifact.unh-repeated", found=reference, offset=offset, segment=1, tag="UNH", element=1)]
        if len(counts.references) < MOST_REFERENCES:
            counts.references.add(reference)
        return []

    def _finish_group(self, trailer: Segment | None) -> Sequence[Event]:
        group, self.group = self.group, None
        if group is None:
            return ()
        counts = self._in_group
        declared = None
        if trailer is None:
            counts.findings.append(fault("edifact.une-missing", expected=group.control, offset=group.offset, tag="UNG"))
        else:
            said = number(trailer.get(1))
            declared = said if isinstance(said, int) else None
            counts.findings += _une_findings(trailer, group, counts.messages)
        return (GroupEnd(group, declared, counts.messages, counts.accepted, self._settle(counts.findings)),)

    def _end(self) -> Iterator[Event]:
        end = self._source.start
        self._remember(end, self._source.lines + 1)
        yield from self._finish()
        yield from self._finish_group(None)
        self._settle_strays()
        splitter = self._splitter
        if splitter.endless is not None:
            self._findings.append(fault("edifact.segment-endless", found=LONGEST_SEGMENT, offset=splitter.endless))
        if not self._closed:
            self._findings.append(fault("edifact.unz-missing", expected=self.header.control, offset=end, tag="UNZ"))
        if self._groups and self._whole.messages:
            self._findings.append(fault("edifact.ungrouped", offset=self.header.offset))
        if splitter.recased is not None:
            self._findings.append(fault("edifact.tag-case", offset=splitter.recased))
        if splitter.foreign is not None:
            offset, encoding = splitter.foreign
            self._findings.append(fault("edifact.character-set", found=encoding, expected=self.header.syntax, offset=offset))
        findings = self._settle(self._findings)
        yield InterchangeEnd(self.header, findings, not (has_error(findings) or has_error(self._settle(self._start_findings))))

    def _remember(self, offset: int, line: int) -> None:
        if self.has_lines:
            self._lines[offset] = line

    def _settle(self, findings: list[Finding]) -> list[Finding]:
        return self._strictness.settle_all(with_lines(findings, self._lines)) if findings else []


def _take(message: Block, block: Block, at: int) -> None:
    message.tags.append(block.tags[at])
    message.texts.append(block.texts[at])
    message.offsets.append(block.offsets[at])
    message.ends.append(block.ends[at])
    message.lines.append(block.lines[at])


def _to_header(found: FoundHeader, offset: int) -> InterchangeHeader:
    segment = found.segment
    return InterchangeHeader(
        syntax=segment.get(1).upper(),
        syntax_version=segment.get(1, 2),
        sender=segment.get(2),
        sender_qualifier=segment.get(2, 2),
        recipient=segment.get(3),
        recipient_qualifier=segment.get(3, 2),
        date=segment.get(4),
        time=segment.get(4, 2),
        control=segment.get(5),
        application=segment.get(7),
        ack_requested=segment.get(9) == "1",
        test=segment.get(11) == "1",
        delimiters=found.delimiters,
        offset=offset,
    )


def _header_findings(header: InterchangeHeader, found: FoundHeader) -> list[Finding]:
    findings: list[Finding] = []
    place = partial(fault, offset=header.offset, tag="UNB")
    delimiters = header.delimiters
    given = [byte for byte in (delimiters.component, delimiters.element, delimiters.release, delimiters.terminator) if byte]
    if len(set(given)) < len(given):
        findings.append(place("edifact.delimiters-equal", found=ascii(b" ".join(given).decode("latin-1"))))
    if found.named is not None:
        named = ascii(found.named.decode("latin-1"))
        findings.append(place("edifact.una-terminator", found=named, expected=ascii(delimiters.terminator.decode("latin-1"))))
    if header.syntax not in CHARACTER_SETS:
        findings.append(place("edifact.syntax-unknown", found=header.syntax, element=1))
    for element, value, words in ((2, header.sender, "sender"), (3, header.recipient, "recipient"), (5, header.control, "interchange reference")):
        if not value:
            findings.append(place("edifact.unb-element", expected=words, element=element))
    return findings


def _opening_findings(opening: Segment) -> list[Finding]:
    missing = [(1, "message reference", opening.get(1)), (2, "message type", opening.get(2))]
    return [
        fault("edifact.unh-element", expected=words, offset=opening.offset, segment=1, tag="UNH", element=element)
        for element, words, value in missing
        if not value
    ]


def _trailer_findings(segments: list[Segment], reference: str) -> list[Finding]:
    trailer = segments[-1]
    place = partial(fault, offset=trailer.offset, segment=trailer.ordinal, tag=trailer.tag)
    if trailer.tag != "UNT":
        return [place("edifact.unt-missing", found=len(segments), expected=reference)]
    findings: list[Finding] = []
    if number(trailer.get(1)) != len(segments):
        findings.append(place("edifact.unt01-count", found=trailer.get(1), expected=len(segments), element=1))
    if trailer.get(2) != reference:
        findings.append(place("edifact.unt02-reference", found=trailer.get(2), expected=reference, element=2))
    return findings


def _une_findings(trailer: Segment, group: GroupHeader, counted: int) -> list[Finding]:
    place = partial(fault, offset=trailer.offset, tag="UNE")
    findings: list[Finding] = []
    if number(trailer.get(1)) != counted:
        findings.append(place("edifact.une01-count", found=trailer.get(1), expected=counted, element=1))
    if trailer.get(2) != group.control:
        findings.append(place("edifact.une02-reference", found=trailer.get(2), expected=group.control, element=2))
    return findings
