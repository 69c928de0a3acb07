"""The elements of one segment against its rule: every fault, with the AK403 code an acknowledgement gives it.

This is the exact and slower of two readings. `dictionary_pattern` makes the quick one, which only says whether there is
anything to look at; a rule that changes here changes there.
"""

from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from gateway.edi.dictionary_tables import ElementRule, Relation, SegmentRule


class BadElement(NamedTuple):
    """An element or component, the AK403 code, and the value that stands there."""

    element: int
    component: int | None
    code: str
    value: str
    rule: ElementRule | None
    others: tuple[int, ...] = ()  # for relations: the elements that make it a fault


def check(elements: list[str], rule: SegmentRule, component: str, repetition: str | None = None) -> list[BadElement]:
    """The faults of a segment's elements, by position; `repetition` is the separator of repeats, when the interchange has one."""
    found: list[BadElement] = []
    values = [element.rstrip() for element in elements]
    for place, element in enumerate(rule.elements, 1):
        value = values[place - 1] if place <= len(values) else ""
        if repetition and repetition in value:  # no element of these tables may be repeated
            found.append(BadElement(place, None, "12", value, element))
            value = value.partition(repetition)[0].rstrip()
        found += _check_element(value, element, place, component)
    surplus = next((at for at in range(len(rule.elements), len(values)) if values[at]), None)
    if surplus is not None:
        found.append(BadElement(surplus + 1, None, "3", values[surplus], None))
    for relation in rule.relations:
        found += _check_relation(relation, values, rule, component)
    found.sort(key=lambda bad: (bad.element, bad.component or 0))
    return _once_each(found)


def _check_element(value: str, rule: ElementRule, place: int, component: str) -> Iterator[BadElement]:
    if not value:
        if rule.need == "M":
            yield BadElement(place, None, "1", "", rule)
    elif rule.kind == "COMP":
        yield from _check_components(value.split(component), rule, place)
    elif code := fault_of(value, rule):
        yield BadElement(place, None, code, value, rule)


def _check_components(values: list[str], rule: ElementRule, place: int) -> Iterator[BadElement]:
    for at, part in enumerate(rule.components, 1):
        value = values[at - 1].rstrip() if at <= len(values) else ""
        if value and (code := fault_of(value, part)):
            yield BadElement(place, at, code, value, part)
        elif not value and part.need == "M":
            yield BadElement(place, at, "1", "", part)
    if len(values) > len(rule.components):
        yield BadElement(place, len(rule.components) + 1, "3", values[len(rule.components)], None)


def fault_of(value: str, rule: ElementRule) -> str | None:
    """The AK403 code of what is wrong with a value that is there, or None."""
    if not value.isprintable():
        return "6"
    special = _BY_KIND.get(rule.kind)
    if special is not None:
        return special(value, rule)
    if len(value) > rule.longest:
        return "5"
    if len(value) < rule.shortest:
        return "4"
    return "7" if rule.codes is not None and value not in rule.codes else None


def _number(value: str, rule: ElementRule) -> str | None:
    digits = value.removeprefix("-")
    if rule.kind == "R":
        digits = digits.removeprefix("+").replace(".", "", 1)
    if not (digits.isdecimal() and digits.isascii()):
        return "6"
    # Zero-padded numbers arrive; the zeros do not count.
    return "5" if len(digits.lstrip("0")) > rule.longest else None


def _date(value: str, rule: ElementRule) -> str | None:
    return None if is_date(value) and (rule.longest >= len(value)) else "8"


def _time(value: str, rule: ElementRule) -> str | None:
    if not is_time(value):
        return "9"
    return "5" if len(value) > rule.longest else None


_BY_KIND: dict[str, Callable[[str, ElementRule], str | None]] = {
    "R": _number,
    "N0": _number,
    "N2": _number,
    "DT": _date,
    "TM": _time,
}


@lru_cache(maxsize=4096)
def is_date(value: str) -> bool:
    """Whether it is a day of the calendar, as CCYYMMDD or YYMMDD."""
    if not (value.isdecimal() and value.isascii()) or len(value) not in (6, 8):
        return False
    text = value if len(value) == 8 else "20" + value
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def is_time(value: str) -> bool:
    """Whether it is a time of day, as HHMM, HHMMSS or with decimals of a second."""
    if not (value.isdecimal() and value.isascii()) or not 4 <= len(value) <= 8 or len(value) == 5:
        return False
    return value[:2] < "24" and value[2:4] < "60" and (value[4:6] or "00") < "60"


def _check_relation(relation: Relation, values: list[str], rule: SegmentRule, component: str) -> Iterator[BadElement]:
    """Only what belongs together: P both or none, R one at least, E one at most, C and L if the first then others."""
    rules: tuple[ElementRule, ...] = rule.elements
    if relation.composite:
        whole = values[relation.composite - 1] if relation.composite <= len(values) else ""
        values = [part.rstrip() for part in whole.split(component)]
        rules = rules[relation.composite - 1].components
    there = tuple(place for place in relation.places if place <= len(values) and values[place - 1])
    for place in _missing(relation, there):
        code = "10" if relation.kind == "E" else "2"
        value = values[place - 1] if relation.kind == "E" else ""
        if relation.composite:
            yield BadElement(relation.composite, place, code, value, rules[place - 1], there)
        else:
            yield BadElement(place, None, code, value, rules[place - 1], there)


def _missing(relation: Relation, there: tuple[int, ...]) -> tuple[int, ...]:
    """The places at which the relation is broken."""
    first, *rest = relation.places
    match relation.kind:
        case "P" if there:
            return tuple(place for place in relation.places if place not in there)
        case "R" if not there:
            return (first,)
        case "E":
            return there[1:]
        case "C" if first in there:
            return tuple(place for place in rest if place not in there)
        case "L" if there == (first,):
            return (rest[0],)
    return ()


def _once_each(found: list[BadElement]) -> list[BadElement]:
    """One fault for each place and code: two relations may miss the same element."""
    seen: set[tuple[int, int | None, str]] = set()
    kept = []
    for bad in found:
        key = (bad.element, bad.component, bad.code)
        if key not in seen:
            seen.add(key)
            kept.append(bad)
    return kept
