"""The tables of `tables/` as values: segments, elements, relations and set layouts of 004010 and 005010, and names of codes.

They are facts of the standard and belong to the code: read once, when a version is first asked for. What real receipts do
beyond them is written down here as well, in `_tolerate`, so that the walk needs to know nothing about partners.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

VERSIONS = ("004010", "005010")


class ElementRule(NamedTuple):
    """What may stand in one element; `codes` only when the list is complete."""

    number: str
    need: str
    kind: str
    shortest: int
    longest: int
    codes: frozenset[str] | None
    components: "tuple[ElementRule, ...]"


class Relation(NamedTuple):
    """A syntax note between elements, or between components of one: kind P, R, E, C or L."""

    kind: str
    composite: int  # 0, or the element whose components are meant
    places: tuple[int, ...]


class SegmentRule(NamedTuple):
    """All that is said about one segment."""

    tag: str
    elements: tuple[ElementRule, ...]
    relations: tuple[Relation, ...]


class Node(NamedTuple):
    """A place in a set: a segment, or a loop when it has `inside`; `most` 0 is without end."""

    tag: str
    need: str
    most: int
    inside: "tuple[Node, ...]" = ()
    loop: bool = False
    tolerated: bool = False  # it does not belong here by the standard, and is read all the same


class Table(NamedTuple):
    """One version of the standard."""

    version: str
    segments: dict[str, SegmentRule]
    sets: dict[str, tuple[Node, ...]]
    trailer: str = "SE"


@cache
def load(version: str) -> Table:
    """The table of `004010` or `005010`."""
    raw = _read(f"{version}.json")
    segments = {}
    for tag, text in raw["segments"].items():
        relations = tuple(_relation(note) for note in raw["notes"].get(tag, "").split(" ; ") if note)
        segments[tag] = SegmentRule(tag, tuple(to_element(part, names()["codes"]) for part in text.split("; ")), relations)
    sets = {set_id: tuple(to_node(node) for node in nodes) for set_id, nodes in raw["sets"].items()}
    return _tolerate(Table(version, segments, sets))


@cache
def names() -> dict[str, Any]:
    """Names of segments and elements, meanings of codes."""
    return _read("names.json")


def nearest(version: str) -> tuple[str, bool]:
    """The table for a GS08, and whether it is exactly that version (an industry suffix does not matter)."""
    exact = version[:6]
    if exact in VERSIONS:
        return exact, True
    return ("005010" if exact >= "005000" and exact[:1] == "0" else "004010"), False


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((files("gateway.edi") / "tables" / name).read_text(encoding="utf-8"))
    return content


def to_element(text: str, lists: dict[str, Any]) -> ElementRule:
    """An element as it is written in a table; `lists` are the code lists of its standard."""
    own, *inside = text.split(" / ")
    number, need, kind, *lengths = own.split()
    shortest, longest = (int(length) for length in lengths) if lengths else (0, 0)
    listed = lists.get(number)
    codes = frozenset(listed["codes"]) if listed and listed["complete"] else None
    return ElementRule(number, need, kind, shortest, longest, codes, tuple(to_element(part, lists) for part in inside))


def _relation(note: str) -> Relation:
    if "-" not in note:
        places = tuple(int(note[at : at + 2]) for at in range(1, len(note), 2))
        return Relation(note[0], 0, places)
    pairs = [part.split("-") for part in note[1:].split()]
    return Relation(note[0], int(pairs[0][0]), tuple(int(place) for _, place in pairs))


def to_node(raw: list[Any]) -> Node:
    """A place in a set as it is written in a table."""
    tag, need, most, *inside = raw
    return Node(tag, need, most, tuple(to_node(node) for node in inside[0]) if inside else (), bool(inside))


def _tolerate(table: Table) -> Table:
    """Read a 944 with its W07 in an LX loop or outside one, in both versions; 4010 senders add LX, 5010 senders drop it."""
    nodes = []
    foreign = table.version == "004010"
    lines = _line_loop(table.sets["944"])
    for node in table.sets["944"]:
        if node.tag in ("W07", "LX"):
            inside = node.inside if node.tag == "LX" else (*_LX_INSIDE, lines)
            nodes.append(Node("LX", "O", 0, inside, True, foreign))
            nodes.append(lines)
        else:
            nodes.append(node)
    table.sets["944"] = tuple(nodes)
    return table


_LX_INSIDE = (Node("MAN", "O", 1, (), False, True), Node("PAL", "O", 0, (), False, True), Node("N9", "O", 5))


def _line_loop(nodes: tuple[Node, ...]) -> Node:
    """The W07 loop of a 944, wherever it is; that one W07 is there at all is looked at by `dictionary_walk`."""
    for node in nodes:
        if node.tag == "W07":
            return node._replace(need="O")
        if node.tag == "LX":
            return _line_loop(node.inside)
    raise LookupError("The 944 table has no W07 loop.")
