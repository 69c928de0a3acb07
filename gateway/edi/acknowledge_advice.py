"""The 824 application advice: what a 997 may never say, that a document could be read and still makes no sense.

One item (OTI) for each document or part of one, with its result and errors (TED). Texts are cut to the lengths of 004010, and cleaned
of what X12 cannot carry. Reading keeps every code as sent and adds its meaning; nothing is guessed about which document is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.edi import dictionary
from gateway.edi.x12_parts import Segment, Separators, TransactionSet
from gateway.edi.x12_write import clean

# The longest text that 004010 takes in these elements, others are codes and numbers.
_LONGEST = {
    ("BGN", 2): 30, ("N1", 2): 60, ("N1", 4): 80, ("OTI", 3): 30, ("OTI", 11): 12,
    ("TED", 2): 60, ("TED", 7): 99, ("TED", 8): 99, ("NTE", 2): 80,
}  # fmt: skip
_NO_DELIMITERS = Separators()


@dataclass(frozen=True, slots=True)
class AdviceError:
    """One business error (TED): code of list 647, words, and where the bad value stands in the document that is answered."""

    code: str
    text: str = ""
    segment: str = ""
    position: int | None = None
    element: int | None = None
    element_number: str = ""
    value: str = ""
    new_value: str = ""
    notes: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """What the code says, or the sender's own words when it is a free one."""
        return dictionary.code_meaning("647", self.code) or self.text or f"code {self.code}"


@dataclass(frozen=True, slots=True)
class AdviceItem:
    """The word on one document or part of one (OTI); `result` is a code of list 110, for instance TR, TA or IR."""

    result: str
    reference_qualifier: str
    reference: str
    group_control: str = ""
    set_control: str = ""
    set_id: str = ""
    version: str = ""
    date: str = ""
    time: str = ""
    errors: tuple[AdviceError, ...] = ()

    @property
    def rejected(self) -> bool:
        """Whether the document, or this part of it, was refused."""
        return self.result[1:] == "R"


@dataclass(frozen=True, slots=True)
class ApplicationAdvice:
    """An 824: its own number and day, who answers whom (qualifier and id), and the items."""

    number: str
    date: str
    time: str = ""
    purpose: str = "00"
    sender: tuple[str, str, str] = ("", "", "")  # name, qualifier of the id, id
    receiver: tuple[str, str, str] = ("", "", "")
    items: tuple[AdviceItem, ...] = field(default_factory=tuple)


def write_application_advice(advice: ApplicationAdvice, separators: Separators = _NO_DELIMITERS) -> list[list[str]]:
    """The body of an 824 between ST and SE; `separators` are those it will be written with."""
    segments = [["BGN", advice.purpose, advice.number, advice.date, advice.time]]
    for role, (name, qualifier, identity) in (("FR", advice.sender), ("TO", advice.receiver)):
        if name or identity:
            segments.append(["N1", role, name, *([qualifier, identity] if qualifier and identity else [])])
    for item in advice.items:
        segments += _item(item)
    return [_fitted(segment, separators) for segment in segments]


def _fitted(segment: list[str], separators: Separators) -> list[str]:
    """Cleaned first, because a letter may become two, and cut then."""
    tag, *values = segment
    return [tag, *(clean(value, separators)[: _LONGEST.get((tag, at))].rstrip() for at, value in enumerate(values, 1))]


def _item(item: AdviceItem) -> list[list[str]]:
    # OTI09 may not stand without OTI08 (C0908).
    set_control = item.set_control if item.group_control else ""
    head = [
        "OTI", item.result, item.reference_qualifier, item.reference, "", "", item.date, item.time,
        item.group_control, set_control, item.set_id, item.version,
    ]  # fmt: skip
    segments = [head]
    for error in item.errors:
        segments.append(
            [
                "TED", error.code, error.text, error.segment, _number(error.position), _number(error.element),
                error.element_number, error.value, error.new_value,
            ]
        )  # fmt: skip
        segments += [["NTE", "ERN", note] for note in error.notes if note.strip()]
    return segments


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def read_application_advice(ts: TransactionSet) -> ApplicationAdvice:
    """A received 824; an item without errors keeps an empty list, an error in front of every item makes one of its own."""
    head = next((segment for segment in ts.segments if segment.tag == "BGN"), Segment("BGN", []))
    parties = {segment.get(1): (segment.get(2), segment.get(3), segment.get(4)) for segment in ts.segments if segment.tag == "N1"}
    items: list[tuple[Segment, list[tuple[Segment, list[str]]]]] = []
    for segment in ts.segments:
        if segment.tag == "OTI":
            items.append((segment, []))
        elif segment.tag == "TED":
            if not items:
                items.append((Segment("OTI", []), []))
            items[-1][1].append((segment, []))
        elif segment.tag == "NTE" and items and items[-1][1]:
            items[-1][1][-1][1].append(segment.get(2))
    return ApplicationAdvice(
        number=head.get(2),
        date=head.get(3),
        time=head.get(4),
        purpose=head.get(1),
        sender=parties.get("FR", ("", "", "")),
        receiver=parties.get("TO", ("", "", "")),
        items=tuple(_read_item(segment, errors) for segment, errors in items),
    )


def _read_item(segment: Segment, errors: Sequence[tuple[Segment, list[str]]]) -> AdviceItem:
    return AdviceItem(
        result=segment.get(1),
        reference_qualifier=segment.get(2),
        reference=segment.get(3),
        date=segment.get(6),
        time=segment.get(7),
        group_control=segment.get(8),
        set_control=segment.get(9),
        set_id=segment.get(10),
        version=segment.get(11),
        errors=tuple(_read_error(each, notes) for each, notes in errors),
    )


def _read_error(segment: Segment, notes: list[str]) -> AdviceError:
    return AdviceError(
        code=segment.get(1),
        text=segment.get(2),
        segment=segment.get(3),
        position=_read_number(segment.get(4)),
        element=_read_number(segment.get(5)),
        element_number=segment.get(6),
        value=segment.get(7),
        new_value=segment.get(8),
        notes=tuple(notes),
    )


def _read_number(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None
