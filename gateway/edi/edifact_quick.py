"""The messages of an interchange that are right for sure, taken whole; the same idea as `x12_quick`.

A message is judged by one pattern, its count of segments, and its CNT. Everything else (a released character, letters beyond ASCII, a wrapped line,
a fault) stays where it is for the long way, one message at a time.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Protocol

from gateway.edi import edifact_check
from gateway.edi.edifact_parts import GroupHeader, InterchangeHeader, Message
from gateway.edi.edifact_split import Marks, segments_of_bytes
from gateway.edi.syntax import Finding, with_lines
from gateway.edi.x12_header import Source
from gateway.edi.x12_parts import Strictness

_WINDOW = 1 << 16
_LONGEST = 1 << 22  # a message that is longer is read the long way
_MOST_WAITS = 6


class Counts:
    """The message references of an interchange or group, and what came in it."""

    def __init__(self) -> None:
        self.references: set[str] = set()
        self.messages = 0
        self.accepted = 0
        self.findings: list[Finding] = []


class _Interchange(Protocol):
    header: InterchangeHeader
    has_lines: bool
    group: GroupHeader | None

    @property
    def counts(self) -> Counts: ...

    def count(self, reference: str, offset: int) -> list[Finding]: ...


class QuickMessages:
    """The quick way through one interchange; after failures in a row it waits, each time longer, before it tries again."""

    def __init__(self, source: Source, interchange: _Interchange, strictness: Strictness) -> None:
        self._source = source
        self._interchange = interchange
        self._strictness = strictness
        delimiters = interchange.header.delimiters
        self._delimiters = delimiters
        self._terminator = delimiters.terminator
        self._start = b"UNH" + delimiters.element
        value = rb"([^%s]{1,35})" % re.escape(b"".join(byte for byte in delimiters if byte))
        element, component = re.escape(delimiters.element), re.escape(delimiters.component)
        self._head = re.compile(re.escape(self._start) + value + element + component.join([value, value, value]))
        self._joint = b""
        self._failures = 0
        self._waits = 0
        self._early = False  # the pattern is not made yet: the next messages are read the long way, and nothing is concluded

    @property
    def trying(self) -> bool:
        """Whether the next call of `messages` is worth a short block in front of it."""
        return self._waits <= 1

    def messages(self) -> Iterator[Message]:
        """The messages that stand next, up to one that is not right for sure."""
        if self._waits > 0:
            self._waits -= 1
            return
        taken = 0
        while (quick := self._pattern()) is not None:
            before = taken
            for message in self._matching(*quick):
                taken += 1
                yield message
            if taken == before and not self._fill():
                break
        if self._early:
            return
        self._failures = 0 if taken else self._failures + 1
        self._waits = 1 << min(self._failures, _MOST_WAITS) if self._failures > 1 else 0

    def _pattern(self) -> tuple[re.Pattern[bytes], tuple[str, str, str], tuple[Finding, ...]] | None:
        """The pattern for the message that begins here, its identity and notes, if one does and it is worth one."""
        source = self._source
        self._early = False
        source.fill(_WINDOW)
        if self._joint or not source.held.startswith(b"UN"):
            source.drop(len(source.held) - len(source.held.lstrip(b"\r\n")))
        head = self._head.match(source.held)
        if head is None or not (head[0].isascii() and head[0].decode("ascii").isprintable()):
            return None
        if not self._joint:
            after = source.held.find(self._terminator) + 1
            end = source.held[after : after + 2]
            self._joint = self._terminator + (end if end == b"\r\n" else end[:1] if end[:1] in (b"\r", b"\n") else b"")
        kind, version, release = (head[at].decode("ascii") for at in (2, 3, 4))
        checker = edifact_check.checker_for(kind, version, release)
        pattern = checker.quick((kind, version, release), self._delimiters, self._joint[1:])
        self._early = pattern is None and checker.can_be_quick
        return None if pattern is None else (pattern, (kind, version, release), checker.notes)

    def _matching(self, pattern: re.Pattern[bytes], identity: tuple[str, str, str], notes: tuple[Finding, ...]) -> Iterator[Message]:
        source, interchange = self._source, self._interchange
        held = source.held
        match_at, number_of = pattern.match, held.count
        terminator, joint = self._terminator, self._joint
        segments_in = partial(segments_of_bytes, terminator=terminator, joint=joint, marks=Marks.of(self._delimiters))
        start = 0
        while match := match_at(held, start):
            end = match.end()
            if number_of(terminator, start, end) != int(match[2]) or not self._lines_counted(held, start, end):
                break
            control = match[1].decode("ascii")
            offset = source.start + start + 1
            findings = [*interchange.count(control, offset), *notes]
            if findings:
                line = source.lines + held.count(source.newline, 0, start) + 1
                findings = self._strictness.settle_all(with_lines(findings, {offset: line} if interchange.has_lines else {}))
            counts = interchange.counts
            message = Message(
                identity=(control, *identity),
                segments=partial(segments_in, held[start:end], offset),
                findings=findings,
                interchange=interchange.header,
                group=interchange.group,
                ordinal=counts.messages,
                offset=offset,
                end_offset=source.start + end - len(joint) + 1,
            )
            counts.accepted += message.accepted
            start = end
            yield message
        source.drop(start)

    def _lines_counted(self, held: bytes, start: int, end: int) -> bool:
        """Whether CNT+2, if there is one, is the number of LIN segments."""
        element, component = self._delimiters.element, self._delimiters.component
        total = self._joint + b"CNT" + element
        if not (number := held.count(total, start, end)):
            return True
        at = held.find(total, start, end) + len(total)
        said = held[at : held.find(self._terminator, at)].split(component)
        lines = held.count(self._joint + b"LIN" + element, start, end)
        return number == 1 and len(said) > 1 and (said[0] != b"2" or (said[1].isdigit() and int(said[1][:18]) == lines))

    def _fill(self) -> bool:
        """Whether the message that begins here had not come whole, and more of it could be had."""
        source = self._source
        at = source.held.find(self._joint + b"UNT" + self._delimiters.element)
        end = source.held.find(self._terminator, at + len(self._joint)) if at >= 0 else -1
        whole = end >= 0 and len(source.held) >= end + len(self._joint)
        if whole or source.ended or len(source.held) > _LONGEST:
            return False
        source.fill(2 * len(source.held) + _WINDOW)
        return True
