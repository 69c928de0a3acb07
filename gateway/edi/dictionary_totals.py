"""Totals that a set states about its own lines: W14 of a 944, W03, W76, CTT (x12 sections 7.1 to 7.6). SE, GE and IEA are compared by the envelope.

A total that does not add up obeys the syntax, so it is noted and never told in a 997 (x12 section 8.4); a partner's profile may raise it. It is not looked
at where a line has no readable quantity, which is a finding of its own. `Agrees` is the quick form of `check` for sets that are right otherwise; a total
added here serves both.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from gateway.edi.x12_parts import Separators

_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")


class Total(NamedTuple):
    """The place that states it; the segments that are counted, or whose element is added up."""

    tag: str
    element: int
    of: str
    added: int = 0


class Unbalanced(NamedTuple):
    """Where a total stands in the set, counted from 0, what it says and what the lines come to."""

    at: int
    total: Total
    said: str
    found: str


TOTALS = {
    "944": (Total("W14", 1, "W07", 1),),
    "943": (Total("W03", 1, "W04", 1),),
    "940": (Total("W76", 1, "W01", 1),),
    "856": (Total("CTT", 1, "HL"), Total("CTT", 2, "SN1", 2)),
    "861": (Total("CTT", 1, "RCD"),),
    "846": (Total("CTT", 1, "LIN"),),
}


def check(set_id: str, tags: list[str], parts: Sequence[Sequence[str]]) -> Iterator[Unbalanced]:
    """The totals of a set that do not agree with its lines."""
    for total in TOTALS.get(set_id, ()):
        if total.tag not in tags or total.of not in tags:
            continue
        at = tags.index(total.tag)
        said = _value(parts[at], total.element)
        found = _come_to(total, tags, parts)
        if found is not None and _NUMBER.fullmatch(said) and Decimal(said) != found:
            yield Unbalanced(at, total, said, str(found))


def _come_to(total: Total, tags: list[str], parts: Sequence[Sequence[str]]) -> Decimal | None:
    lines = [part for tag, part in zip(tags, parts, strict=True) if tag == total.of]
    if not total.added:
        return Decimal(len(lines))
    values = [_value(part, total.added) for part in lines]
    return sum(map(Decimal, values), Decimal(0)) if all(map(_NUMBER.fullmatch, values)) else None


def _value(elements: Sequence[str], n: int) -> str:
    return elements[n - 1].rstrip() if n <= len(elements) else ""


def words(one: Unbalanced) -> tuple[str, str]:
    """Message and remedy."""
    of = f"the quantities of {one.total.of}-{one.total.added:02d} add up to" if one.total.added else f"the number of {one.total.of} segments is"
    return (
        f"{one.total.tag}-{one.total.element:02d} says {one.said}, but {of} {one.found}.",
        "Ask the sender which of them is right; raise x12.total in the profile to stop such sets.",
    )


class Agrees:
    """Tells for the bytes of a set that is right otherwise whether its totals agree, and whether a segment is there that must be somewhere."""

    __slots__ = ("_marks", "_once", "_ways")

    def __init__(self, set_id: str, separators: Separators, line_end: bytes, *, once: str) -> None:
        self._marks = joint, element = separators.terminator + line_end, separators.element
        self._once = joint + once.encode() + element if once else b""
        self._ways = [
            (
                joint + each.tag.encode() + element,
                _finder(self._marks, each.tag, each.element).match,
                joint + each.of.encode() + element,
                _finder(self._marks, each.of, each.added).findall if each.added else None,
            )
            for each in TOTALS.get(set_id, ())
        ]

    def __call__(self, held: bytes, start: int, end: int) -> bool:
        """The set stands between these places."""
        if self._once and held.find(self._once, start, end) < 0:
            return False
        for begin, stated, line, added in self._ways:
            said = stated(held, max(held.rfind(begin, start, end), 0))
            if said is None:
                continue
            found = sum(map(int, added(held, start, end))) if added else held.count(line, start, end)
            if int(said[1]) != found:
                return False
        return True


def _finder(marks: tuple[bytes, bytes], tag: str, n: int) -> "re.Pattern[bytes]":
    """What finds a whole number in element n of such segments."""
    joint, element = marks
    before = rb"(?:[^%s%s]*%s)" % (re.escape(element), re.escape(joint[:1]), re.escape(element))
    return re.compile(re.escape(joint) + tag.encode() + re.escape(element) + before * (n - 1) + rb"(-?[0-9]++)")
