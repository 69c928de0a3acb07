"""EDIFACT written: counts and references are made here, every value is checked, delimiters inside values are released.

A body is a list of segments, each a tag and its elements; an element is text, or a list of components. Control characters and what the
character set of the interchange has not are refused with their place; `clean` is for the texts of people and shops. What this writes,
`edifact.read_messages` reads back as the same messages.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import ascii_uppercase, digits

from gateway.edi import x12_write
from gateway.edi.edifact_parts import Delimiters
from gateway.edi.edifact_split import CHARACTER_SETS, Marks, to_segment
from gateway.errors import PermanentError

Element = str | Sequence[str]
Body = Iterable[Sequence[Element]]
# ISO 9735, level A: capitals, digits and these.
_LEVEL_A = frozenset(ascii_uppercase + digits + " .,-()/='+:?!\"%&*;<>")


class UnwritableValue(PermanentError):
    """A value holds what EDIFACT cannot carry in this character set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What stands around the messages of one interchange."""

    sender: str
    sender_qualifier: str = ""
    recipient: str
    recipient_qualifier: str = ""
    control: str
    at: datetime
    syntax: str = "UNOC"
    syntax_version: str = "3"
    application: str = ""
    ack_requested: bool = False
    test: bool = False
    delimiters: Delimiters = Delimiters()  # noqa: RUF009 - a named tuple cannot change
    line_break: bool = True
    service_string: bool = True


def write_interchange(*, header: Envelope, messages: Iterable[tuple[str, str, Body]]) -> bytes:
    """The bytes of one interchange of these messages, each (reference, `TYPE:version:release:agency[:association]`, body)."""
    segments: list[Sequence[Element]] = [_unb(header)]
    count = 0
    for reference, identifier, body in messages:
        segments += write_message(reference, identifier, body)
        count += 1
    segments.append(["UNZ", str(count), header.control])
    return _render(segments, header)


def write_message(reference: str, identifier: str, body: Body) -> list[Sequence[Element]]:
    """The segments of a message with its UNH and UNT around the body."""
    inside = [_trimmed(segment) for segment in body]
    return [["UNH", reference, identifier.split(":")], *inside, ["UNT", str(len(inside) + 2), reference]]


def parse_body(text: str, delimiters: Delimiters = Delimiters()) -> list[list[Element]]:  # noqa: B008 - a named tuple cannot change
    """The segments of rendered template text: one on a line, blank lines ignored, a terminator at the end allowed; `?` releases."""
    marks = Marks.of(delimiters)
    terminator = delimiters.terminator.decode("latin-1")
    made = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        body = line[: -len(terminator)] if line.endswith(terminator) and not _ends_released(line[:-1], marks.release) else line
        segment = to_segment(body, 0, 0, marks)
        made.append([segment.tag, *segment.elements])
    return made


def _ends_released(text: str, release: str | None) -> bool:
    return release is not None and (len(text) - len(text.rstrip(release))) % 2 == 1


def clean(value: str, syntax: str = "UNOC") -> str:
    """The value as this character set can carry it: control characters made blanks, accents folded where they must be."""
    text = "".join(character if character.isprintable() else " " for character in value)
    character_set = CHARACTER_SETS.get(syntax, "ascii")
    if character_set == "ascii":
        text = x12_write.fold(text)
        if syntax == "UNOA":
            text = "".join(character if character in _LEVEL_A else " " for character in text.upper())
    else:
        text = "".join(each if _encodable(each, character_set) else x12_write.fold(each) for each in text)
    return text.strip()


def _encodable(character: str, character_set: str) -> bool:
    try:
        return bool(character.encode(character_set))
    except UnicodeEncodeError:
        return False


def _trimmed(segment: Sequence[Element]) -> list[Element]:
    kept: list[Element] = [element if isinstance(element, str) else _without_tail(element) for element in segment]
    while len(kept) > 1 and not any(kept[-1]):
        kept.pop()
    return kept


def _without_tail(components: Sequence[str]) -> list[str]:
    kept = list(components)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _unb(header: Envelope) -> list[Element]:
    date = f"{header.at:%Y%m%d}" if header.syntax_version >= "4" else f"{header.at:%y%m%d}"
    return _trimmed(
        [
            "UNB", [header.syntax, header.syntax_version], [header.sender, header.sender_qualifier], [header.recipient, header.recipient_qualifier],
            [date, f"{header.at:%H%M}"], header.control, "", header.application, "", "1" if header.ack_requested else "", "",
            "1" if header.test else "",
        ]
    )  # fmt: skip


def _render(segments: list[Sequence[Element]], header: Envelope) -> bytes:
    delimiters = header.delimiters
    _check_delimiters(delimiters)
    component, element, decimal, release, terminator = (byte.decode("latin-1") if byte else " " for byte in delimiters)
    escape = re.compile("[" + re.escape(component + element + release + terminator) + "]") if delimiters.release else None
    lines = [f"UNA{component}{element}{decimal}{release} {terminator}"] if header.service_string or delimiters != Delimiters() else []
    for ordinal, segment in enumerate(segments, 1):
        written = []
        for at, value in enumerate(segment):
            parts = [value] if isinstance(value, str) else list(value)
            _check_values(parts, f"Segment {ordinal} ({segment[0]}), element {at:02d}", header, escaped=escape is not None)
            written.append(component.join(escape.sub(lambda found: release + found[0], part) if escape else part for part in parts))
        lines.append(element.join(written) + terminator)
    joint = "\r\n" if header.line_break and terminator not in "\r\n" else ""
    return (joint.join(lines) + joint).encode(CHARACTER_SETS.get(header.syntax, "ascii"))


def _check_delimiters(delimiters: Delimiters) -> None:
    given = [byte for byte in delimiters if byte]
    if len(set(given)) < len(given) or any(len(byte) != 1 or byte.isalnum() or byte == b" " or byte > b"~" for byte in given):
        raise UnwritableValue("The service characters must be different single ASCII characters that are neither letters, digits nor blanks.")


def _check_values(parts: Sequence[str], place: str, header: Envelope, *, escaped: bool) -> None:
    character_set = CHARACTER_SETS.get(header.syntax, "ascii")
    delimiters = header.delimiters
    forbidden = "" if escaped else "".join(byte.decode("latin-1") for byte in (delimiters.component, delimiters.element, delimiters.terminator))
    for value in parts:
        bad = sorted({each for each in value if not each.isprintable() or each in forbidden or not _encodable(each, character_set)})
        if header.syntax == "UNOA":
            bad += sorted(set(value) - _LEVEL_A - set(bad))
        if bad:
            shown = " ".join(ascii(character) for character in bad)
            raise UnwritableValue(f"{place}: the value {value!r} holds {shown}, which {header.syntax} with these service characters cannot carry.")
