"""Where an EDIFACT interchange begins, which service characters it uses, and its bytes as segments.

Released delimiters (`?+`) are data, line ends inside a segment are a wrap and go, indentation goes. Bytes are split first and decoded
then: by UTF-8 when they are valid UTF-8, else by the character set that UNB names, else as cp1252, because senders write whatever their
machine writes. A block ends behind a UNZ and before a UNA or UNB: the next interchange has service characters of its own.
"""

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from gateway.edi.edifact_parts import Delimiters, Segment
from gateway.edi.x12_header import BLANKS, Source

WINDOW = 1024
LONGEST_SEGMENT = 1 << 20
_BLOCK = 1 << 14
INTERCHANGE_START = re.compile(rb"(?<![A-Za-z0-9])(?:UNA[^A-Za-z0-9]{6}|UNB(?=[^A-Za-z0-9\s\0]))", re.IGNORECASE)
MESSAGE_START = re.compile(rb"(?<![A-Za-z0-9])UN[HG][^A-Za-z0-9\s\0][^\r\n']{0,35}[^A-Za-z0-9\s\0]", re.IGNORECASE)
CHARACTER_SETS = {
    "UNOA": "ascii", "UNOB": "ascii", "UNOC": "iso8859-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5", "UNOF": "iso8859-7", "UNOG": "iso8859-3",
    "UNOH": "iso8859-4", "UNOI": "iso8859-6", "UNOJ": "iso8859-8", "UNOK": "iso8859-9", "UNOL": "iso8859-15", "UNOW": "utf-8", "UNOX": "iso2022-jp",
    "UNOY": "utf-8",
}  # fmt: skip


class Marks(NamedTuple):
    """The service characters as text."""

    component: str
    element: str
    release: str | None

    @classmethod
    def of(cls, delimiters: Delimiters) -> "Marks":
        return cls(
            delimiters.component.decode("latin-1"),
            delimiters.element.decode("latin-1"),
            delimiters.release.decode("latin-1") if delimiters.release else None,
        )


class FoundHeader(NamedTuple):
    """A readable UNB: its elements, the service characters, how many bytes it takes, where it begins, and a wrong terminator in UNA."""

    segment: Segment
    delimiters: Delimiters
    length: int
    unb: int
    named: bytes | None


def find_header(window: bytes) -> FoundHeader | None:
    """The UNA and UNB at the start of `window`, or None when they cannot be read."""
    delimiters = Delimiters()
    at = 0
    if window[:3].upper() == b"UNA":
        component, element, decimal, release, _, terminator = (window[n : n + 1] for n in range(3, 9))
        delimiters = Delimiters(component, element, decimal, None if release == b" " else release, terminator)
        at = 9 + len(window[9:]) - len(window[9:].lstrip(BLANKS))
    if window[at : at + 3].upper() != b"UNB" or window[at + 3 : at + 4] != delimiters.element:
        return None
    named = None
    end = _find_end(window, at, delimiters)
    if end is None or re.match(rb"[\s\0]*UN[HGZ]", window[end:], re.IGNORECASE) is None:
        other = re.compile(rb"'(?=[\s\0]*UN[HGZ][^A-Za-z0-9])", re.IGNORECASE).search(window, at)
        if other and delimiters.terminator != b"'":
            named, end = delimiters.terminator, other.end()
            delimiters = delimiters._replace(terminator=b"'")
    if end is None:
        return None
    text = _unwrapped(window[at:end].removesuffix(delimiters.terminator), delimiters.terminator)
    segment = to_segment(decode(text, "iso8859-1")[0], 1, at, Marks.of(delimiters))
    return FoundHeader(segment, delimiters, end, at, named)


def _find_end(window: bytes, start: int, delimiters: Delimiters) -> int | None:
    at = window.find(delimiters.terminator, start)
    while at >= 0 and _released(window, at, delimiters.release):
        at = window.find(delimiters.terminator, at + 1)
    return at + 1 if at >= 0 else None


def _released(raw: bytes, at: int, release: bytes | None) -> bool:
    """Whether the byte here is made data by an odd number of release characters in front of it."""
    if release is None:
        return False
    before = at
    while before and raw[before - 1 : before] == release:
        before -= 1
    return (at - before) % 2 == 1


def _unwrapped(body: bytes, terminator: bytes) -> bytes:
    return body if terminator in (b"\r", b"\n") else body.translate(None, b"\r\n")


def decode(raw: bytes, character_set: str) -> tuple[str, str]:
    """The text, and the encoding it was read with."""
    if raw.isascii():
        return raw.decode("ascii"), "ascii"
    for name in ("utf-8", character_set, "cp1252"):
        try:
            return raw.decode(name), name
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1"), "latin-1"


def to_segment(text: str, ordinal: int, offset: int, marks: Marks) -> Segment:
    """A segment out of its text."""
    tag, *elements = _cut(text, marks.element, marks.release)
    if marks.release is None or marks.release not in text:
        made = [element.split(marks.component) for element in elements]
    else:
        made = [[unescape(part, marks.release) for part in _cut(element, marks.component, marks.release)] for element in elements]
    return Segment(tag_of(tag, marks), made, ordinal, offset)


def tag_of(tag: str, marks: Marks) -> str:
    """The tag without explicit repetition (`LIN:1`) and blanks, in capitals."""
    return tag.partition(marks.component)[0].strip().upper()


def _cut(text: str, separator: str, release: str | None) -> list[str]:
    """Split at separators that are not released; release characters stay."""
    pieces = text.split(separator)
    if release is None or release + separator not in text:
        return pieces
    return list(_joined(pieces, separator, release))


def _joined(pieces: list[str], separator: str, release: str) -> Iterator[str]:
    held = ""
    for piece in pieces[:-1]:
        held += piece
        if (len(held) - len(held.rstrip(release))) % 2:
            held += separator
        else:
            yield held
            held = ""
    yield held + pieces[-1]


def unescape(text: str, release: str) -> str:
    """The value as it is meant; a release character at the very end stands for itself."""
    if release not in text:
        return text
    return re.sub(re.escape(release) + "(.)", r"\1", text, flags=re.DOTALL)


class Block(NamedTuple):
    """Segments in order: tag, text, where each begins and ends, and on which line."""

    tags: list[str]
    texts: list[str]
    offsets: list[int]
    ends: list[int]
    lines: list[int]


class Splitter:
    """Takes blocks of one interchange from a source."""

    def __init__(self, source: Source, delimiters: Delimiters, character_set: str) -> None:
        self._source = source
        self._terminator = delimiters.terminator
        self._release = delimiters.release
        self._delimiters = delimiters
        self.marks = Marks.of(delimiters)
        self._character_set = character_set
        self._allows_ascii_only = character_set == "ascii"
        self.recased: int | None = None  # where the first tag stood that was not in capitals
        self.foreign: tuple[int, str] | None = None  # where the first text stood that its character set has not, and how it was read
        self.endless: int | None = None  # where a segment began that has no end

    def next_block(self, *, one_message: bool = False) -> Block | None:
        """The next block, or None when the file ends or another interchange begins; if asked so it ends behind the next UNT."""
        raw = self._next_bytes()
        block = Block([], [], [], [], [])
        start, line = self._source.start, self._source.lines + 1
        newline = self._source.newline
        at = start
        for piece in self._pieces(raw):
            body = piece.lstrip(BLANKS)
            ahead = len(piece) - len(body)
            end = min(at + len(piece) + 1, start + len(raw))
            tag = ""
            if body:
                if _begins_interchange(body):
                    end = at
                    break
                if at + len(piece) >= start + len(raw):  # it has no terminator: what fills up the end of a file is not of it
                    body = body.rstrip(BLANKS)
                tag = self._add(block, body, at + ahead + 1)
                block.ends.append(end)
                block.lines.append(line + piece.count(newline, 0, ahead))
            line += piece.count(newline) + (self._terminator == newline)
            at += len(piece) + 1
            if tag == "UNZ" or (one_message and tag == "UNT"):
                break
        else:
            end = start + len(raw)
        self._source.drop(end - start)
        return block if block.tags else None

    def _next_bytes(self) -> bytes:
        source = self._source
        size = _BLOCK
        while True:
            source.fill(size)
            held = source.held[:LONGEST_SEGMENT]  # never more, so that what is endless does not depend on how much has come
            end = len(held)
            if source.ended and end == len(source.held) < LONGEST_SEGMENT:
                return held
            at = held.rfind(self._terminator)
            while at >= 0 and _released(held, at, self._release):
                at = held.rfind(self._terminator, 0, at)
            if at >= 0:
                return held[: at + 1]
            if end >= LONGEST_SEGMENT:
                self.endless = source.start + 1
                source.drop(LONGEST_SEGMENT)
                return b""
            size = end + _BLOCK

    def _pieces(self, raw: bytes) -> list[bytes]:
        pieces = raw.split(self._terminator)
        if self._release is None or self._release + self._terminator not in raw:
            return pieces
        text = _joined([piece.decode("latin-1") for piece in pieces], self._terminator.decode("latin-1"), self._release.decode("latin-1"))
        return [piece.encode("latin-1") for piece in text]

    def _add(self, block: Block, body: bytes, offset: int) -> str:
        """Take one segment; returns its tag."""
        text, encoding = decode(_unwrapped(body, self._terminator), self._character_set)
        if encoding not in ("ascii", self._character_set) and self.foreign is None:
            self.foreign = (offset, encoding)
        sent = text.partition(self.marks.element)[0]
        tag = tag_of(sent, self.marks)
        if not sent.startswith(tag) and self.recased is None:
            self.recased = offset
        block.tags.append(tag)
        block.texts.append(text)
        block.offsets.append(offset)
        return tag


def _begins_interchange(body: bytes) -> bool:
    return body[:2].upper() == b"UN" and INTERCHANGE_START.match(body + b"'") is not None


def segments_of(texts: list[str], offsets: list[int], marks: Marks) -> list[Segment]:
    """The segments of a message, counted from 1."""
    return [to_segment(text, at, offset, marks) for at, (text, offset) in enumerate(zip(texts, offsets, strict=True), 1)]


def segments_of_bytes(raw: bytes, offset: int, terminator: bytes, joint: bytes, marks: Marks) -> list[Segment]:
    """The same out of the bytes of a message that are regular: plain ASCII, nothing released, one joint throughout."""
    texts = raw[: -len(joint)].decode("ascii").split(joint.decode("ascii"))
    offsets = list(accumulate((len(text) + len(joint) for text in texts[:-1]), initial=offset))
    return segments_of(texts, offsets, marks)
