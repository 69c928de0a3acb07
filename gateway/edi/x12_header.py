"""Where an interchange begins and which delimiters it uses; what kind of file this is; whether it has arrived whole.

Order of belief for an ISA: the fixed layout as it stands, the fixed layout with line ends removed (a file wrapped at 80
columns shifts every offset), the same two split at the separator (an ISA that was not padded). A guess of the last kind must
be confirmed by what follows: GS, TA1, IEA or ST and the same separator. Offsets are bytes; nothing is decoded before it is split.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from gateway.edi.x12_parts import InterchangeHeader, Separators

BLANKS = b" \t\r\n\0\x1a\x0b\x0c"
BOM = b"\xef\xbb\xbf"
WIDTHS = (3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
ISA_WINDOW = 512
_SLICE = 1 << 16

ISA_START = re.compile(rb"(?<![A-Za-z0-9])ISA([^A-Za-z0-9\s\0])[^\r\n]{0,2}\1", re.IGNORECASE)
SET_START = re.compile(rb"(?<![A-Za-z0-9])(?:ST([^A-Za-z0-9\s\0])\w{3}\1|GS([^A-Za-z0-9\s\0])\w\w\2)", re.IGNORECASE)
_IEA = re.compile(rb"(?<![A-Za-z0-9])IEA([^A-Za-z0-9\s\0])\d*\1(\d*)", re.IGNORECASE)
_EDIFACT = re.compile(rb"(?:UNA.{6}\s*)?UN[BH][^A-Za-z0-9\s]|UNA[^A-Za-z0-9]{4}", re.DOTALL)
_CONTROLS = bytes(b for b in range(32) if b not in b"\t\n\r\x0c\x15\x1a\x1b\x1c\x1d\x1e\x1f")
_BINARY_STARTS = (b"%PDF", b"PK\x03\x04", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff", b"\xd0\xcf\x11\xe0", b"MZ\x90")


class Source:
    """The bytes of a file that have come and are not consumed; `start` is how many went before, `lines` their line ends."""

    __slots__ = ("_chunks", "ended", "held", "lines", "newline", "start")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = _slices(chunks)
        self.held = b""
        self.start = 0
        self.lines = 0
        self.newline = b"\n"
        self.ended = False

    def fill(self, size: int) -> None:
        """Hold at least `size` bytes, or all that is left."""
        have = len(self.held)
        if have >= size or self.ended:
            return
        gathered = [self.held]
        for chunk in self._chunks:
            gathered.append(chunk)
            have += len(chunk)
            if have >= size:
                break
        else:
            self.ended = True
        self.held = b"".join(gathered)

    def drop(self, size: int) -> None:
        """Consume so many bytes."""
        self.start += size
        self.lines += self.held.count(self.newline, 0, size)
        self.held = self.held[size:]


def _slices(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in small pieces: what is held is copied whenever some of it is consumed."""
    for chunk in chunks:
        for start in range(0, len(chunk), _SLICE):
            yield chunk[start : start + _SLICE]


class FoundHeader(NamedTuple):
    """A readable ISA: its sixteen elements, the delimiters, how many bytes it takes, and how it had to be read."""

    elements: list[str]
    separators: Separators
    length: int
    unpadded: bool


def find_header(window: bytes) -> FoundHeader | None:
    """The ISA at the start of `window`, or None when its envelope cannot be read."""
    unwrapped = window.translate(None, b"\r\n")
    for text, padded in ((window, True), (unwrapped, True), (window, False), (unwrapped, False)):
        found = _fixed(text) if padded else _loose(text)
        if found is None:
            continue
        elements, separators, length = found
        if text is unwrapped and unwrapped != window:
            length = _wrapped_length(window, length)
        return FoundHeader([decode(element) for element in elements], separators, length, not padded)
    return None


def to_header(found: FoundHeader, offset: int) -> InterchangeHeader:
    """The header as a value."""
    elements = [element.strip() for element in found.elements]
    return InterchangeHeader(
        sender_qualifier=elements[4],
        sender=elements[5],
        receiver_qualifier=elements[6],
        receiver=elements[7],
        date=elements[8],
        time=elements[9],
        standards=elements[10],
        version=elements[11],
        control=elements[12].zfill(9),
        ack_requested=elements[13] == "1",
        usage=elements[14],
        separators=found.separators,
        offset=offset,
    )


def decode(raw: bytes) -> str:
    """Text of bytes that may be in any of the usual encodings."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return raw.decode("cp1252")
        except UnicodeDecodeError:
            return raw.decode("latin-1")


def _fixed(text: bytes) -> tuple[list[bytes], Separators, int] | None:
    separator = text[3:4]
    elements = text[:105].split(separator) if separator else []
    if tuple(map(len, elements)) != WIDTHS:
        return None
    rest = text[105:]
    terminator = _confirmed_terminator(rest, separator) or _plausible_terminator(rest, separator + elements[16])
    if terminator is None:
        return None
    return elements[1:], _separators(separator, elements, terminator), 105 + len(terminator)


def _loose(text: bytes) -> tuple[list[bytes], Separators, int] | None:
    separator = text[3:4]
    elements = text.split(separator, 16) if separator else []
    if len(elements) != 17 or any(len(element) > 40 for element in elements[:16]):
        return None
    rest = elements[16][1:]
    elements[16] = elements[16][:1]
    if not elements[16] or elements[16].isalnum():
        return None
    terminator = _confirmed_terminator(rest, separator)
    if terminator is None:
        return None
    length = sum(map(len, elements)) + 16 + len(terminator)
    return elements[1:], _separators(separator, elements, terminator), length


def _confirmed_terminator(rest: bytes, separator: bytes) -> bytes | None:
    """The first character of `rest`, of one to four bytes, when a segment that may follow an ISA follows it."""
    for width in range(1, 5):
        terminator, after = rest[:width], rest[width:].lstrip(BLANKS)
        if not _one_character(terminator) or terminator == separator:
            continue
        if after[:2].upper() in (b"GS", b"ST") and after[2:3] == separator:
            return terminator
        if after[:3].upper() in (b"TA1", b"IEA", b"ISB") and after[3:4] == separator:
            return terminator
    return None


def _one_character(terminator: bytes) -> bool:
    if len(terminator) < 2:
        return bool(terminator) and not terminator.isalnum()
    try:
        return len(terminator.decode("utf-8")) == 1
    except UnicodeDecodeError:
        return False


def _plausible_terminator(rest: bytes, taken: bytes) -> bytes | None:
    terminator = rest[:1]
    return terminator if terminator and not terminator.isalnum() and terminator not in taken else None


def _separators(separator: bytes, elements: list[bytes], terminator: bytes) -> Separators:
    separator_of_repeats = None
    if elements[12] >= b"00402" and not elements[11].isalnum() and elements[11].strip():
        separator_of_repeats = elements[11]
    return Separators(separator, elements[16], separator_of_repeats, terminator)


def _wrapped_length(window: bytes, length: int) -> int:
    """How many bytes of the wrapped text hold the first `length` bytes of the unwrapped one."""
    for end, byte in enumerate(window, 1):
        length -= byte not in b"\r\n"
        if not length:
            return end
    return len(window)


def sniff(head: bytes) -> Literal["x12", "edifact", "text", "binary", "empty"]:
    """What kind of file begins like this."""
    text = head.removeprefix(BOM).lstrip(BLANKS)
    if not text:
        return "empty"
    if text.startswith(_BINARY_STARTS):
        return "binary"
    if ISA_START.search(text) or SET_START.match(text):
        return "x12"
    if _EDIFACT.match(text):
        return "edifact"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"
    return "binary" if len(text.translate(None, _CONTROLS)) < len(text) else "text"


def is_complete(tail: bytes, head: bytes) -> bool:
    """Whether the last interchange of a file has its closing IEA, judged by the file's first and last bytes.

    True for everything that is not X12: there is nothing to wait for. The whole file may be given as both.
    """
    if sniff(head) != "x12" and not ISA_START.search(tail):
        return True
    return _closed(tail) or _closed(tail.translate(None, b"\r\n"))


def _closed(tail: bytes) -> bool:
    opened = max((match.start() for match in ISA_START.finditer(tail)), default=-1)
    closings = list(_IEA.finditer(tail, max(opened, 0)))
    if not closings:
        return False
    closing = closings[-1]
    after = tail[closing.end() :]
    if len(closing[2]) < 9 and not after:
        return False
    begun = after[1:].strip(BLANKS) if after else b""
    return not (begun and b"ISA".startswith(begun[:3].upper()))
