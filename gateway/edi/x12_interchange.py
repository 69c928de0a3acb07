"""One interchange while it is read: what is open, what was counted, and the events of it.

Every envelope segment is handled together with the segments that follow it up to the next one. Segments that belong to no
open set are counted and reported, never dropped without a word.
"""

from collections.abc import Iterator, Sequence

from gateway.edi.syntax import Finding, has_error, number, with_lines
from gateway.edi.x12_faults import fault
from gateway.edi.x12_group import MOST_CONTROLS, OpenGroup, OpenSet, close_group
from gateway.edi.x12_header import ISA_WINDOW, FoundHeader, Source, to_header
from gateway.edi.x12_parts import (
    Event,
    GroupEnd,
    GroupHeader,
    GroupStart,
    InterchangeAck,
    InterchangeEnd,
    InterchangeHeader,
    InterchangeStart,
    Segment,
    Strictness,
)
from gateway.edi.x12_quick import QuickSets
from gateway.edi.x12_split import LONGEST_SEGMENT, Block, Splitter


class Interchange:
    """One interchange while it is read: its open group, its open set, and what was counted."""

    def __init__(self, source: Source, found: FoundHeader, strictness: Strictness) -> None:
        self.header = to_header(found, source.start + 1)
        self._start_findings = _header_findings(self.header, found)
        self._component = found.separators.component.decode("latin-1")
        self._strictness = strictness
        self._findings: list[Finding] = []
        self._groups = 0
        self._group_numbers: set[str] = set()
        self._group: OpenGroup | None = None
        self._set: OpenSet | None = None

        self._position = 0  # ordinal of the last segment of an earlier block, the ISA being 1
        self._closed = False
        self._source = source
        window = source.held[:ISA_WINDOW]
        self._has_lines = b"\n" in window or found.separators.terminator == b"\r"
        source.newline = b"\n" if b"\n" in window or not self._has_lines else b"\r"
        self._lines: dict[int, int] = {}  # lines of the envelope segments that findings may name
        self._remember(self.header.offset, source.lines + 1)
        source.drop(found.length)
        self._splitter = Splitter(source, found.separators)
        self._quick = QuickSets(source, self.header, strictness, with_line=self._has_lines)
        self._handlers = {
            "ST": self._st,
            "SE": self._se,
            "GS": self._gs,
            "GE": self._ge,
            "IEA": self._iea,
            "TA1": self._ta1,
            "ISA": self._stray,
        }

    def events(self) -> Iterator[Event]:
        yield InterchangeStart(self.header, self._settle(self._start_findings))
        self._position = 1
        while not self._closed:
            yield from self._clean_sets()
            block = self._splitter.next_block(one_set=self._quick.trying)
            if block is None:
                break
            stops = block.stops
            end = len(block.tags)
            self._take(block, 0, stops[0] if stops else end)
            for at, until in zip(stops, [*stops[1:], end], strict=False):
                yield from self._handlers[block.tags[at]](block, at, until)
            self._position += end
        yield from self._end()

    def _clean_sets(self) -> Iterator[Event]:
        """The sets that stand next and are right for sure, when a group is open and no set is."""
        if self._group is not None and self._set is None and not self._group.has_strays:
            yield from self._quick.sets(self._group)
            self._position += self._quick.segments

    def _remember(self, offset: int, line: int) -> None:
        if self._has_lines:
            self._lines[offset] = line

    def _settle(self, findings: list[Finding]) -> list[Finding]:
        return self._strictness.settle_all(with_lines(findings, self._lines)) if findings else []

    def _take(self, block: Block, start: int, end: int) -> None:
        """Segments that belong to the open set, or to none."""
        if start == end:
            return
        if self._set is not None:
            self._set.extend(block, start, end)
        elif self._group is not None:
            self._stray_segments(block, start, end - start)
        else:
            self._miss_group(block, start)

    def _stray_segments(self, block: Block, start: int, number: int) -> None:
        if self._group is not None:
            if not self._group.has_strays:
                self._remember(block.offsets[start], block.lines[start])
            self._group.stray(self._position + start + 1, block.tags[start], block.offsets[start], number)

    def _stray(self, block: Block, at: int, until: int) -> Sequence[Event]:
        self._take(block, at, until)
        return ()

    def _st(self, block: Block, at: int, until: int) -> Sequence[Event]:
        events = self._finish_set()
        if self._group is None:
            self._miss_group(block, at)
        else:
            self._group.settle_strays()
        self._set = OpenSet(block, at, until)
        return events

    def _se(self, block: Block, at: int, until: int) -> Sequence[Event]:
        if self._set is not None:
            if not self._set.complete:
                self._set.extend(block, at, at + 1)
            events = self._finish_set()
        else:
            events = ()
            self._lone_se(block, at)
        self._take(block, at + 1, until)
        return events

    def _lone_se(self, block: Block, at: int) -> None:
        if self._group is None:
            self._miss_group(block, at)
            return
        self._stray_segments(block, at, 1)
        self._group.settle_strays("x12.st-missing")

    def _gs(self, block: Block, at: int, until: int) -> Sequence[Event]:
        events = [*self._finish_set(), *self._finish_group(None)]
        header = _group_header(block.parts[at], block.offsets[at])
        self._remember(header.offset, block.lines[at])
        self._groups += 1
        self._group = OpenGroup(header)
        number = header.control.lstrip("0")
        if number in self._group_numbers:
            repeated = fault("x12.gs06-repeated", found=header.control, offset=header.offset, tag="GS", element=6)
            self._group.findings.append(repeated)
        if len(self._group_numbers) < MOST_CONTROLS:
            self._group_numbers.add(number)
        events.append(GroupStart(header, self.header))
        self._take(block, at + 1, until)
        return events

    def _ge(self, block: Block, at: int, until: int) -> Sequence[Event]:
        events = list(self._finish_set())
        if self._group is None:
            self._miss_group(block, at)
        else:
            self._remember(block.offsets[at], block.lines[at])
            events += self._finish_group(_segment(block, at, self._component))
        self._take(block, at + 1, until)
        return events

    def _iea(self, block: Block, at: int, until: int) -> Sequence[Event]:
        events = [*self._finish_set(), *self._finish_group(None)]
        self._closed = True
        self._remember(block.offsets[at], block.lines[at])
        trailer = _segment(block, at, self._component)
        if trailer.get(2).zfill(9) != self.header.control:
            self._find("x12.iea02-control", trailer, 2, self.header.control)
        if number(trailer.get(1)) != self._groups:
            self._find("x12.iea01-count", trailer, 1, self._groups)
        return events

    def _ta1(self, block: Block, at: int, until: int) -> Sequence[Event]:
        if self._set is not None:
            return self._stray(block, at, until)
        self._take(block, at + 1, until)
        return (InterchangeAck(_segment(block, at, self._component), self.header),)

    def _find(self, code: str, segment: Segment, element: int, expected: object) -> None:
        found = segment.get(element)
        self._findings.append(fault(code, found=found, expected=expected, offset=segment.offset, tag=segment.tag, element=element))

    def _miss_group(self, block: Block, at: int) -> None:
        if not any(finding.code == "x12.group-missing" for finding in self._findings):
            tag = block.tags[at]
            self._remember(block.offsets[at], block.lines[at])
            self._findings.append(fault("x12.group-missing", found=tag[:3], offset=block.offsets[at], segment=self._position + at + 1, tag=tag))

    def _finish_set(self) -> Sequence[Event]:
        if self._set is None:
            return ()
        finished = self._set.close(self.header, self._group, self._strictness, with_line=self._has_lines)
        self._set = None
        if self._group is not None:
            self._group.accepted += finished.accepted
        return (finished,)

    def _finish_group(self, trailer: Segment | None) -> Sequence[Event]:
        group, self._group = self._group, None
        if group is None:
            return ()
        group.settle_strays()
        declared = close_group(group, trailer)
        findings = self._settle(group.findings)
        return (GroupEnd(group.header, declared, group.counted, group.accepted, findings),)

    def _end(self) -> Iterator[Event]:
        end = self._splitter.position()
        self._remember(end, self._source.lines + 1)
        yield from self._finish_set()
        yield from self._finish_group(None)
        if self._splitter.endless is not None:
            self._findings.append(fault("x12.segment-endless", found=LONGEST_SEGMENT, offset=self._splitter.endless))
        if not self._closed:
            self._findings.append(fault("x12.iea-missing", expected=self.header.control, offset=end, tag="IEA"))
        if self._splitter.recased is not None:
            self._findings.append(fault("x12.tag-case", offset=self._splitter.recased))
        findings = self._settle(self._findings)
        started = self._settle(self._start_findings)
        yield InterchangeEnd(self.header, findings, not (has_error(findings) or has_error(started)))


def _header_findings(header: InterchangeHeader, found: FoundHeader) -> list[Finding]:
    findings = []
    at = header.offset
    separators = found.separators
    if found.unpadded:
        findings.append(fault("x12.isa-unpadded", offset=at, tag="ISA"))
    if len(separators.terminator) > 1:
        findings.append(fault("x12.terminator-multibyte", found=len(separators.terminator), offset=at, tag="ISA"))
    given = [byte for byte in separators if byte]
    if len(set(given)) < len(given):
        shown = " ".join(ascii(byte.decode("latin-1")) for byte in given)
        findings.append(fault("x12.delimiters-equal", found=shown, offset=at, tag="ISA"))
    terminator = separators.terminator.decode("latin-1")
    for element, value in enumerate(found.elements[:15], 1):
        if terminator in value:
            findings.append(fault("x12.isa-delimiter", found=f"ISA{element:02d}", offset=at, tag="ISA", element=element))
    sent = found.elements[12].strip()
    if not (sent.isdecimal() and len(sent) == 9):
        findings.append(fault("x12.isa13-format", found=sent, offset=at, tag="ISA", element=13))
    return findings


def _group_header(elements: list[str], offset: int) -> GroupHeader:
    padded = [element.strip() for element in elements] + [""] * 8
    return GroupHeader(
        functional_id=padded[0],
        sender=padded[1],
        receiver=padded[2],
        date=padded[3],
        time=padded[4],
        control=padded[5],
        version=padded[7],
        offset=offset,
    )


def _segment(block: Block, at: int, component: str) -> Segment:
    return Segment(block.tags[at], block.parts[at], at + 1, block.offsets[at], component)
