"""X12 written: counts and control numbers are made here, every value is checked, nothing is escaped because X12 cannot.

A value that holds a delimiter or a control character is refused with its place; `clean` is for the texts of people and shops,
and folds what X12 cannot carry. What this writes, `x12.read_sets` reads back as the same sets.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Literal

from gateway.edi import dictionary
from gateway.edi.syntax import Finding
from gateway.edi.x12_parts import Segment, Separators
from gateway.errors import PermanentError

# X12.6, character sets: the basic one, and what the extended one adds; "printable" is every printable ASCII character.
_BASIC = ascii_uppercase + digits + " !\"&'()*+,-./:;?="
_CHARACTERS = {
    "basic": frozenset(_BASIC),
    "extended": frozenset(_BASIC + ascii_lowercase + "%@[]_{}\\|<>~#$"),
    "printable": frozenset(chr(at) for at in range(0x20, 0x7F)),
}
_FOLDS = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "Þ": "TH",
        "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "−": "-", "…": "...", "€": "EUR", "×": "x",
    }
)  # fmt: skip


class UnwritableValue(PermanentError):
    """A value holds a delimiter or a control character and cannot be written as X12."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What stands around the sets of one interchange with one group."""

    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    group_sender: str
    group_receiver: str
    functional_id: str
    interchange_control: int
    group_control: int
    at: datetime
    version: str = "004010"
    usage: str = "P"
    ack_requested: bool = False
    separators: Separators = Separators()  # noqa: RUF009 - a named tuple cannot change
    line_break: bool = True
    character_set: Literal["printable", "extended", "basic"] = "printable"


def write_interchange(*, header: Envelope, sets: Iterable[tuple[str, int | str, Iterable[list[str]]]]) -> bytes:
    """The bytes of one interchange with one group of these sets, each (set id, control number, body segments)."""
    segments = [_isa(header), _gs(header)]
    count = 0
    for set_id, control, body in sets:
        segments += write_set(set_id, control, body)
        count += 1
    segments.append(["GE", str(count), str(header.group_control)])
    segments.append(["IEA", "1", f"{header.interchange_control:09d}"])
    return _render(segments, header)


def write_acknowledgement(*, header: Envelope, segments: Iterable[list[str]]) -> bytes:
    """The bytes of an interchange without groups, holding these TA1 segments."""
    trailer = ["IEA", "0", f"{header.interchange_control:09d}"]
    return _render([_isa(header), *segments, trailer], header)


def write_set(set_id: str, control: int | str, body: Iterable[list[str]]) -> list[list[str]]:
    """The segments of a set with its ST and SE around the body; a control number is written with four digits or more."""
    number = f"{control:04d}" if isinstance(control, int) else control
    inside = [_trimmed(segment) for segment in body]
    return [["ST", set_id, number], *inside, ["SE", str(len(inside) + 2), number]]


def parse_body(text: str, separators: Separators = Separators()) -> list[list[str]]:  # noqa: B008 - a named tuple cannot change
    """The segments of rendered template text: one on a line, blank lines ignored, a terminator at the end allowed."""
    element = separators.element.decode("latin-1")
    terminator = separators.terminator.decode("latin-1").strip("\r\n")
    lines = (line.strip() for line in text.splitlines())
    if terminator:
        lines = (line.removesuffix(terminator) for line in lines)
    if " " + element not in text and not (terminator and " " + terminator in text):  # no value ends in a blank
        return [_trimmed(line.split(element)) for line in lines if line]
    return [_trimmed([value.rstrip() for value in line.split(element)]) for line in lines if line]


def clean(value: str, separators: Separators = Separators()) -> str:  # noqa: B008 - a named tuple cannot change
    """The value as X12 can carry it: accents folded, delimiters and everything else that is not ASCII made blanks."""
    text = fold(value)
    for delimiter in _delimiters(separators):
        if delimiter in text:
            text = text.replace(delimiter, " ")
    return text.strip()


def fold(value: str) -> str:
    """The value in printable ASCII: accents folded, everything else made blanks."""
    if value.isascii() and value.isprintable():
        return value
    text = unicodedata.normalize("NFKD", value.translate(_FOLDS))
    return "".join(_plain(character) for character in text)


def _plain(character: str) -> str:
    if unicodedata.combining(character):
        return ""
    return character if " " <= character <= "~" else " "


def _delimiters(separators: Separators) -> list[str]:
    return [byte.decode("latin-1") for byte in separators if byte]


def _trimmed(segment: list[str]) -> list[str]:
    end = len(segment)
    if segment[-1]:
        return segment
    while end > 1 and not segment[end - 1]:
        end -= 1
    return segment[:end]


def _isa(header: Envelope) -> list[str]:
    separators = header.separators
    modern = header.version >= "00402"
    envelope_version = "00" + header.version[2:5] if modern else "00401"
    if modern:
        eleventh = (separators.repetition or b"^").decode("latin-1")
    else:
        eleventh = "U"
    return [
        "ISA", "00", " " * 10, "00", " " * 10,
        header.sender_qualifier.ljust(2), header.sender.ljust(15),
        header.receiver_qualifier.ljust(2), header.receiver.ljust(15),
        f"{header.at:%y%m%d}", f"{header.at:%H%M}", eleventh, envelope_version,
        f"{header.interchange_control:09d}", "1" if header.ack_requested else "0", header.usage,
        separators.component.decode("latin-1"),
    ]  # fmt: skip


def _gs(header: Envelope) -> list[str]:
    return [
        "GS", header.functional_id, header.group_sender, header.group_receiver,
        f"{header.at:%Y%m%d}", f"{header.at:%H%M}", str(header.group_control), "X", header.version,
    ]  # fmt: skip


def _render(segments: list[list[str]], header: Envelope) -> bytes:
    separators = header.separators
    _check_isa(segments[0], separators)
    element, terminator = separators.element.decode("latin-1"), separators.terminator.decode("latin-1")
    forbidden = _delimiters(separators if header.version >= "00402" else separators._replace(repetition=None))
    lines = [element.join(segment) for segment in segments]
    if header.character_set != "printable" or not _is_clean(element.join(lines[1:]), sum(map(len, segments[1:])), forbidden):
        for ordinal, segment in enumerate(segments[1:], 2):
            if header.character_set != "printable":
                _check_characters(segment, ordinal, header)
            if not _is_clean(lines[ordinal - 1], len(segment), forbidden):
                _refuse(segment, ordinal, "".join(forbidden), header)
    joint = terminator + "\n" if header.line_break and terminator not in "\r\n" else terminator
    return (joint.join(lines) + joint).encode("latin-1")


def _is_clean(line: str, elements: int, forbidden: list[str]) -> bool:
    """Whether a segment of so many elements, its id among them, or many such joined, holds no delimiter and nothing but printable ASCII."""
    element, *others = forbidden
    if line.count(element) != max(elements - 1, 0) or not (line.isascii() and line.isprintable()):
        return False
    return not any(delimiter in line for delimiter in others)


def _check_characters(segment: list[str], ordinal: int, header: Envelope) -> None:
    allowed = _CHARACTERS[header.character_set]
    for element, value in enumerate(segment):
        bad = sorted(set(value) - allowed - {header.separators.component.decode("latin-1")})
        if bad:
            shown = " ".join(ascii(character) for character in bad)
            place = f"Segment {ordinal} ({segment[0]}), element {element:02d}"
            raise UnwritableValue(f"{place}: the value {value!r} holds {shown}, which the {header.character_set} character set has not.")


def check_body(set_id: str, version: str, body: Iterable[list[str]]) -> list[Finding]:
    """What the tables say against a set with this body: segments, lengths, types, codes, relations; nothing is written."""
    made = [Segment(tag, elements, at) for at, (tag, *elements) in enumerate(write_set(set_id, 1, body), 1)]
    return dictionary.check_set(made, set_id, version)


def _check_isa(isa: list[str], separators: Separators) -> None:
    widths = (3, 2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
    given = _delimiters(separators)
    if len(set(given)) < len(given) or any(len(character) != 1 or character.isalnum() for character in given):
        raise UnwritableValue("The delimiters must be different single characters that are neither letters nor digits.")
    for element, (value, width) in enumerate(zip(isa, widths, strict=True)):
        if len(value) != width:
            raise UnwritableValue(f"ISA element {element:02d} must have {width} characters; {value!r} has {len(value)}.")
        if element < 16 and element != 11:
            _refuse_value(value, f"ISA element {element:02d}", "".join(given))


def _refuse(segment: list[str], ordinal: int, forbidden: str, header: Envelope) -> None:
    component = header.separators.component.decode("latin-1")
    for element, value in enumerate(segment):
        if component in value and dictionary.is_composite(segment[0], element, header.version):
            value = value.replace(component, "")
        _refuse_value(value, f"Segment {ordinal} ({segment[0]}), element {element:02d}", forbidden)


def _refuse_value(value: str, place: str, forbidden: str) -> None:
    if value.isascii() and value.isprintable() and not any(delimiter in value for delimiter in forbidden):
        return
    bad = sorted({c for c in value if c in forbidden or not " " <= c <= "~"})
    if bad:
        shown = " ".join(ascii(character) for character in bad)
        raise UnwritableValue(f"{place}: the value {value!r} holds {shown}, which X12 cannot carry with these delimiters.")
