"""The bytes of one interchange as blocks of segments, split with the delimiters its ISA gave.

A block that is regular (plain ASCII, every terminator followed by the same line end or by none) is decoded and split whole;
any other block is taken piece by piece: line ends inside segments are a wrap and go, indentation goes, text is decoded after
splitting. Both ways give the same segments and the same byte offsets. A block ends behind an IEA and before an ISA, because
the next interchange has delimiters of its own.
"""

import re
from itertools import accumulate, count
from operator import add
from typing import NamedTuple

from gateway.edi.x12_header import BLANKS, ISA_START, Source, decode
from gateway.edi.x12_parts import Separators

BLOCK = 1 << 14  # small enough that the strings of a block stay in the processor's cache
MARGIN = 256  # what is looked at beyond a block: a line end after its terminator, an ISA or IEA that begins there
LONGEST_SEGMENT = 1 << 20
STOPS = frozenset({"ISA", "IEA", "GS", "GE", "ST", "SE", "TA1"})
_PRINTABLE = bytes(range(0x20, 0x7F))


class Block(NamedTuple):
    """Segments in order: where each begins and ends, and on which line; `stops` are the places of envelope segments among them."""

    tags: list[str]
    parts: list[list[str]]
    offsets: list[int]
    ends: list[int]
    lines: list[int]
    stops: list[int]


class Splitter:
    """Takes blocks of one interchange from a source."""

    def __init__(self, source: Source, separators: Separators) -> None:
        self._source = source
        _drop_line_ends(source)  # behind the ISA, so that the first block is regular
        self._separators = separators
        self._element = separators.element.decode("latin-1")
        self._terminator = separators.terminator
        single = [byte for byte in separators if byte and len(byte) == 1]
        self._expected = _PRINTABLE + b"".join(single)
        end_of_set = re.escape(self._terminator) + rb"[\r\n]*SE" + re.escape(separators.element)
        self._end_of_set = re.compile(end_of_set + rb"[^%s]*" % re.escape(self._terminator[:1]) + re.escape(self._terminator))
        self._group_header = re.compile(
            rb"GS" + re.escape(separators.element) + rb"[^%s]*" % re.escape(self._terminator[:1]) + re.escape(self._terminator)
        )
        self._wrappable = self._terminator not in (b"\r", b"\n")
        self._known_tags: dict[str, str] = {}  # to themselves: one string for each id is compared faster than many
        self.recased: int | None = None  # where the first segment id stood that was not in capitals
        self.endless: int | None = None  # where a segment began that has no end

    def next_block(self, *, one_set: bool = False) -> Block | None:
        """The next block, or None when the file ends or another interchange begins; if asked so it ends behind a GS or the next SE."""
        raw = self._next_bytes()
        closing = (self._group_header.match(raw) or self._end_of_set.search(raw)) if one_set else None
        if closing is not None:
            raw = raw[: self._skip_line_ends(raw, closing.end())]
        if not raw:
            return None
        block = self._regular(raw) or self._irregular(raw)
        if "IEA" in block.tags[:-1]:  # only when it was not found by its bytes, for instance in lower case
            block, raw = _until_iea(block, raw, self._source.start)
        self._source.drop(len(raw))
        return block

    def position(self) -> int:
        """How many bytes of the file are consumed."""
        return self._source.start

    def _next_bytes(self) -> bytes:
        source = self._source
        size = BLOCK
        while True:
            source.fill(size + MARGIN)
            held = source.held
            usable = len(held) if source.ended else len(held) - MARGIN
            usable = min(usable, LONGEST_SEGMENT)  # so that what is endless does not depend on how much has come
            last = source.ended and usable == len(held)
            end = self._end_of_block(held, usable, last=last)
            if end or last:
                return held[:end]
            if usable >= LONGEST_SEGMENT:
                self.endless = source.start + 1
                source.drop(usable)
                return b""
            if ISA_START.match(held):
                return b""
            size = usable + BLOCK

    def _end_of_block(self, held: bytes, usable: int, *, last: bool) -> int:
        """How many of the held bytes make the next block; 0 when there is none, or not yet."""
        isa = self._find_isa(held, usable)
        iea = self._find_iea(held, isa)
        if iea < isa:
            return self._skip_line_ends(held, self._end_of_iea(held, iea))
        if isa < usable:
            return isa
        end = held.rfind(self._terminator, 0, usable)
        if last:
            return usable
        return self._skip_line_ends(held, end + len(self._terminator)) if end >= 0 else 0

    def _find_isa(self, held: bytes, usable: int) -> int:
        at = held.find(b"ISA", 0, usable)
        while at >= 0:
            if self._at_segment_start(held, at) and ISA_START.match(held, at):
                return at
            at = held.find(b"ISA", at + 1, usable)
        return usable

    def _find_iea(self, held: bytes, limit: int) -> int:
        tag = b"IEA" + self._separators.element
        at = held.find(tag, 0, limit)
        while at >= 0:
            if self._at_segment_start(held, at):
                return at
            at = held.find(tag, at + 1, limit)
        return limit

    def _at_segment_start(self, held: bytes, at: int) -> bool:
        while at and held[at - 1] in BLANKS and held[at - 1 : at] != self._terminator:
            at -= 1
        return not at or held.endswith(self._terminator, 0, at)

    def _end_of_iea(self, held: bytes, at: int) -> int:
        end = held.find(self._terminator, at, at + 64)
        if end >= 0:
            return end + len(self._terminator)
        unterminated = re.compile(rb"IEA(?:[\d\r\n]|%s)*" % re.escape(self._separators.element)).match(held, at)
        return unterminated.end() if unterminated else at + 3

    def _skip_line_ends(self, held: bytes, end: int) -> int:
        """A line end belongs to the block of its terminator; the margin holds it."""
        while end < len(held) and held[end] in b"\r\n":
            end += 1
        return end

    def _regular(self, raw: bytes) -> Block | None:
        joint = self._joint(raw)
        if joint is None:
            return None
        pieces = raw.decode("latin-1").split(joint)
        if len(joint) > 1 and len(pieces) - 1 != raw.count(self._terminator):
            return None
        terminated = 1 if not pieces[-1] else 0
        if terminated:
            pieces.pop()
        element = self._element
        parts = [piece.split(element) for piece in pieces]
        tags = self._ids([part.pop(0) for part in parts])
        if tags is None:
            return None
        begins = accumulate(map(len, pieces), initial=self._source.start + 1)
        offsets = list(map(add, begins, count(0, len(joint))))
        ends = list(map(add, offsets, map(len, pieces)))
        if pieces:
            ends[-1] += terminated - 1  # all others stop at a terminator of one byte, which `_joint` saw to
        first = self._source.lines + 1
        per_line = joint.count(self._source.newline.decode())
        lines = list(range(first, first + len(pieces))) if per_line else [first] * len(pieces)
        return Block(tags, parts, offsets, ends, lines, [at for at, tag in enumerate(tags) if tag in STOPS])

    def _joint(self, raw: bytes) -> str | None:
        """What stands between two segments all through these bytes, or None when that varies."""
        terminator = self._terminator
        if len(terminator) > 1:
            return None
        odd = raw.translate(None, self._expected)
        if not odd:
            return terminator.decode("latin-1")
        after = raw.find(terminator) + 1
        line_end = b"\r\n" if raw.startswith(b"\r\n", after) else raw[after : after + 1]
        if after and not line_end.strip(b"\r\n") and len(odd) == raw.count(terminator) * len(line_end):
            return (terminator + line_end).decode("latin-1")
        return None

    def _ids(self, tags: list[str]) -> list[str] | None:
        """The segment ids, or None when one of them is not as the standard writes it."""
        known = self._known_tags
        try:
            return [known[tag] for tag in tags]
        except KeyError:
            new = set(tags)
        if not all(tag.isalnum() and tag.isupper() and tag.isascii() and len(tag) <= 3 for tag in new):
            return None
        known.update((tag, tag) for tag in new if tag not in known)
        return [known[tag] for tag in tags]

    def _irregular(self, raw: bytes) -> Block:
        block = Block([], [], [], [], [], [])
        start = self._source.start
        last = start + len(raw)
        line = self._source.lines + 1
        newline = self._source.newline
        for piece in raw.split(self._terminator):
            body = piece.lstrip(BLANKS)
            ahead = len(piece) - len(body)
            if body:
                self._add(block, body, start + ahead + 1)
                block.ends.append(min(start + len(piece) + len(self._terminator), last))
                block.lines.append(line + piece.count(newline, 0, ahead))
            start += len(piece) + len(self._terminator)
            line += piece.count(newline) + (self._terminator == newline)
        return block

    def _add(self, block: Block, body: bytes, offset: int) -> None:
        body = body.translate(None, b"\r\n") if self._wrappable else body.rstrip(b"\r\n")
        elements = [decode(element) for element in body.split(self._separators.element)]
        sent = elements.pop(0)
        tag = sent.strip().upper()
        if tag != sent.strip() and self.recased is None:
            self.recased = offset
        if tag in STOPS:
            block.stops.append(len(block.tags))
        block.tags.append(tag)
        block.parts.append(elements)
        block.offsets.append(offset)


def _drop_line_ends(source: Source) -> None:
    source.fill(MARGIN)
    source.drop(len(source.held) - len(source.held.lstrip(b"\r\n")))


def _until_iea(block: Block, raw: bytes, start: int) -> tuple[Block, bytes]:
    end = block.tags.index("IEA") + 1
    stops = [at for at in block.stops if at < end]
    cut = block.offsets[end] - start - 1
    kept = Block(block.tags[:end], block.parts[:end], block.offsets[:end], block.ends[:end], block.lines[:end], stops)
    return kept, raw[:cut]
