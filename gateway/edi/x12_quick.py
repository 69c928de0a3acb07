"""The sets of an interchange that are right for sure, taken whole: one pattern, one count, no segment split.

Most files are right from end to end. `dictionary_pattern` makes one pattern for a whole set, so such a set is judged in a single
call and kept as the bytes it came in; its segments are made when somebody asks for them. Everything else (another set, a fault, a wrapped line,
a letter beyond ASCII) stays where it is for the long way, one set at a time, and this is tried again behind it.
"""

from collections.abc import Iterator
from functools import partial
from itertools import accumulate, count, repeat
from operator import add

from gateway.edi import dictionary
from gateway.edi.dictionary import QuickSet
from gateway.edi.syntax import with_lines
from gateway.edi.x12_group import OpenGroup, make_segment
from gateway.edi.x12_header import Source
from gateway.edi.x12_parts import InterchangeHeader, Segment, Strictness, TransactionSet

_WINDOW = 1 << 16
_LONGEST = 1 << 22  # a set that is longer is read the long way
_MOST_WAITS = 6


class QuickSets:
    """The quick way through one interchange; after failures in a row it waits, each time longer, before it tries again."""

    def __init__(self, source: Source, header: InterchangeHeader, strictness: Strictness, *, with_line: bool) -> None:
        self._source = source
        self._with_line = with_line
        self._header = header
        self._strictness = strictness
        separators = header.separators
        self._terminator = separators.terminator
        self._start = b"ST" + separators.element
        self._end = separators.terminator, b"SE" + separators.element
        self._usable = len(separators.terminator) == 1
        self._line_end: bytes | None = None
        self._failures = 0
        self._waits = 0
        self._early = False  # the pattern is not made yet: the next sets are read the long way, and nothing is concluded
        self.segments = 0  # how many were in the sets that the last call gave

    @property
    def trying(self) -> bool:
        """Whether the next call of `sets` is worth a short block in front of it."""
        return self._waits <= 1

    def sets(self, group: OpenGroup) -> Iterator[TransactionSet]:
        """The sets that stand next, up to one that is not right for sure."""
        self.segments = 0
        if self._waits > 0 or not self._usable:
            self._waits -= 1
            return
        while (quick := self._pattern(group)) is not None:
            before = self.segments
            yield from self._matching(quick, group)
            if self.segments == before and not self._fill():
                break
        if self._early:
            return
        self._failures = 0 if self.segments else self._failures + 1
        self._waits = 1 << min(self._failures, _MOST_WAITS) if self._failures > 1 else 0

    def _pattern(self, group: OpenGroup) -> QuickSet | None:
        """The pattern for the set that begins here, if one does and it is worth one."""
        source = self._source
        self._early = False
        source.fill(_WINDOW)
        held = source.held
        if not held.startswith(self._start):
            return None
        if self._line_end is None:
            after = held.find(self._terminator) + 1
            end = held[after : after + 2]
            self._line_end = end if end == b"\r\n" else end[:1] if end[:1] in (b"\r", b"\n") else b""
        set_id = held[3 : held.find(self._start[2:], 3, 8)].decode("latin-1")
        checker = dictionary.checker_for(set_id, group.header.version)
        quick = checker.quick(self._header.separators, self._line_end)
        self._early = quick is None and checker.can_be_quick
        return quick

    def _matching(self, quick: QuickSet, group: OpenGroup) -> Iterator[TransactionSet]:
        source, header = self._source, self._header
        held = source.held
        match_at, number_of = quick.pattern.match, held.count
        terminator, line_end = self._terminator, self._line_end or b""
        segments_of = partial(_segments, header, len(line_end))
        set_id, notes, agrees = quick.set_id, quick.notes, quick.agrees
        fits = group.fits(set_id)
        start = 0
        while match := match_at(held, start):
            end = match.end()
            number = number_of(terminator, start, end)
            if number != int(match[2]) or not agrees(held, start, end):
                break
            control = match[1].decode("ascii")
            ordinal = group.count(control)
            offset = source.start + start + 1
            findings = notes.copy()
            if not fits or group.repeated:
                findings = [*group.set_findings(set_id, control, offset), *findings]
            if findings:
                line = source.lines + held.count(source.newline, 0, start) + 1
                findings = self._strictness.settle_all(with_lines(findings, {offset: line} if self._with_line else {}))
            raw = held[start:end]
            last = source.start + end - len(line_end)
            made = TransactionSet(set_id, control, partial(segments_of, raw, offset), findings, header, group.header, ordinal, offset, last, raw)
            group.accepted += not findings or made.accepted
            self.segments += number
            start = end
            yield made
        source.drop(start)

    def _fill(self) -> bool:
        """Whether the set that begins here had not come whole, and more of it could be had."""
        source = self._source
        terminator, trailer = self._end
        line_end = self._line_end or b""
        at = source.held.find(terminator + line_end + trailer)
        end = source.held.find(terminator, at + 1 + len(line_end)) if at >= 0 else -1
        whole = end >= 0 and len(source.held) > end + len(line_end)
        if whole or source.ended or len(source.held) > _LONGEST:
            return False
        source.fill(2 * len(source.held) + _WINDOW)
        return True


def _segments(header: InterchangeHeader, line_end: int, raw: bytes, offset: int) -> list[Segment]:
    separators = header.separators
    component, element = separators.component.decode("latin-1"), separators.element.decode("latin-1")
    width = 1 + line_end
    joint = raw[-width:].decode("latin-1")
    pieces = raw[:-width].decode("ascii").split(joint)
    parts = [piece.split(element) for piece in pieces]
    tags = [part.pop(0) for part in parts]
    offsets = map(add, accumulate(map(len, pieces), initial=offset), count(0, width))
    return list(map(make_segment, zip(tags, parts, count(1), offsets, repeat(component))))
