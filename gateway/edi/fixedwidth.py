"""Lines of fixed width read and written: every value has its place, in characters counted from 1.

Lines may be of up to three kinds, told apart by a mark. Senders trim trailing blanks, so a short line is padded before it is cut; what stands beyond the
last place and a kind that is not known are findings with line and character;
a number with a blank in it stays a text with the blank made visible. A value that does not fit is refused, never cut.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.edi.flatfile import Row, text_lines
from gateway.edi.syntax import Finding, Scope, Severity
from gateway.errors import PermanentError

OPEN_BOX = "\N{OPEN BOX}"  # how a blank is shown where a digit was expected
KINDS = ("header", "line", "trailer")


class UnwritableField(PermanentError):
    """A value does not fit into its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value stands, and how it fills its place; `decimals` are implied."""

    start: int
    length: int
    align: str = "left"
    fill: str = " "
    decimals: int = 0

    @property
    def end(self) -> int:
        """The last character of the place."""
        return self.start + self.length - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The places of each kind of line; `line_length` 0 means: as long as its last place."""

    places: Mapping[str, Mapping[str, Place]]
    mark: Place | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    line_length: int = 0
    encoding: str = "ascii"

    @property
    def header(self) -> Mapping[str, Place]:
        """The places of a header line; none when the layout has no such lines."""
        return self.places["header"]

    @property
    def trailer(self) -> Mapping[str, Place]:
        """The places of a trailer line; none when the layout has no such lines."""
        return self.places["trailer"]


def layout_of(given: Mapping[str, Any]) -> Layout:
    """A layout from plain data: `line`, `header`, `trailer`, `mark`, `marks`, `line_length`, `encoding`."""
    return Layout(
        places={kind: {name: Place(**place) for name, place in given.get(kind, {}).items()} for kind in KINDS},
        mark=Place(**given["mark"]) if given.get("mark") else None,
        marks=given.get("marks", {}),
        line_length=given.get("line_length", 0),
        encoding=given.get("encoding", "ascii"),
    )


def write_line(layout: Layout, kind: str, values: Mapping[str, str]) -> str:
    """One line of a kind, without its end."""
    places = dict(layout.places[kind])
    length = layout.line_length or max(place.end for place in [*places.values(), *([layout.mark] if layout.mark else [])])
    line = [" "] * length
    if layout.mark and kind in layout.marks:
        line[layout.mark.start - 1 : layout.mark.end] = _filled("mark", layout.marks[kind], layout.mark)
    for name, place in places.items():
        if name not in values:
            raise UnwritableField(f"the {kind} has a place for {name!r}, which is not there; there are {', '.join(values)}")
        line[place.start - 1 : place.end] = _filled(name, values[name], place)
    return "".join(line)


def _filled(name: str, value: str, place: Place) -> str:
    text = value
    if place.decimals:
        try:
            text = str(int((Decimal(value) * 10**place.decimals).to_integral_exact()))
        except (InvalidOperation, ValueError) as fault:
            raise UnwritableField(f"{name} is {value!r}, which is no number") from fault
    if len(text) > place.length:
        raise UnwritableField(f"{name} is {value!r}: {len(text)} characters, its place holds {place.length}")
    return text.rjust(place.length, place.fill) if place.align == "right" else text.ljust(place.length, place.fill)


def read_rows(chunks: Iterable[bytes], layout: Layout) -> Iterator[Row | Finding]:
    """The lines of a file and what is wrong with it, in its order; blank lines are skipped."""
    header: dict[str, str] = {}
    seen = False
    for number, found in text_lines(chunks, layout.encoding):
        if isinstance(found, Finding):
            yield found
            continue
        text = found.rstrip("\n")
        if not text.strip():
            continue
        seen = True
        row = _read_line(number, text, layout)
        if isinstance(row, Row) and row.record == "header":
            header = row.values
        if isinstance(row, Row) and row.record == "line":
            row = Row(number, header | {name: value for name, value in row.values.items() if value or name not in header}, row.places, row.cells)
        yield row
    if not seen:
        empty = _finding("flat.empty", "The file is empty.", "Nothing to do; ask the sender if rows were expected.")
        yield replace(empty, severity=Severity.NOTE)


def _read_line(number: int, text: str, layout: Layout) -> Row | Finding:
    kind = _kind(text, layout)
    if kind is None:
        mark = layout.mark or Place(start=1, length=1)
        shown = text[mark.start - 1 : mark.end]
        message = f"The line is marked {shown!r}, which is no kind of line here ({', '.join(layout.marks.values())} are)."
        return _finding(
            "flat.record-unknown", message, "Ask the sender what it is; name it under `marks` in the profile.", line=number, at=mark.start
        )
    places = layout.places[kind]
    length = layout.line_length or max((place.end for place in places.values()), default=0)
    surplus = text[length:].strip()
    if surplus:
        message = f"The line has {len(text)} characters, a {kind} has {length}; left over: {surplus[:40]!r}."
        return _finding(
            "flat.line-long", message, "Ask the sender which layout this is; correct the places in the profile.", line=number, at=length + 1
        )
    padded = text.ljust(length)
    values, starts = {}, {name: place.start for name, place in places.items()}
    for name, place in places.items():
        shown = padded[place.start - 1 : place.end]
        value = _value(shown, place)
        if value is None:  # kept so that nobody takes it for a number, with the place of the first character that is none
            value = shown.replace(" ", OPEN_BOX)
            starts[name] += next((i for i, c in enumerate(shown) if not c.isdigit()), 0)
        values[name] = value
    return Row(number, values, starts, (text,), kind)


def _kind(text: str, layout: Layout) -> str | None:
    if layout.mark is None:
        return "line"
    shown = text[layout.mark.start - 1 : layout.mark.end].strip()
    return next((kind for kind, mark in layout.marks.items() if mark == shown), None)


def _value(text: str, place: Place) -> str | None:
    """The value in a place; None for a number of implied decimals that is none."""
    if place.decimals:
        digits = text.strip()
        sign = "-" if digits.startswith("-") else ""
        digits = digits.lstrip("+-")
        if not digits:
            return ""
        if not (digits.isascii() and digits.isdigit()) or (place.align == "right" and text != text.rstrip()):
            return None
        return f"{sign}{Decimal(int(digits)).scaleb(-place.decimals):f}"
    value = text.strip()
    if place.fill not in (" ", "0"):
        value = value.strip(place.fill)
    return value


def _finding(code: str, message: str, remedy: str, *, line: int | None = None, at: int | None = None, value: str | None = None) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, scope=Scope.FILE, message=message, remedy=remedy, line=line, element=at, value=value)
