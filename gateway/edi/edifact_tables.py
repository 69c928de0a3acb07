"""The tables of EDIFACT as values: segments and layouts of D.96A and D.01B, names and codes, from `tables/edifact.json`.

They have the form of the X12 tables, so that the same walk and the same element check read them. CONTRL and APERAK are in both
directories. What senders do beyond the tables is in `_tolerate`.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from gateway.edi.dictionary_tables import ElementRule, Node, SegmentRule, Table, to_element, to_node

DIRECTORIES = ("D96A", "D01B")
_LAST_OF_96A = 98  # directories up to D.98B are nearer to D.96A than to D.01B


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((files("gateway.edi") / "tables" / "edifact.json").read_text(encoding="utf-8"))
    return content


@cache
def load(directory: str) -> Table:
    """The table of `D96A` or `D01B`."""
    raw = _content()["directories"][directory]
    segments = {tag: SegmentRule(tag, tuple(map(_element, text.split("; "))), ()) for tag, text in raw["segments"].items()}
    sets = {name: tuple(to_node(node) for node in nodes) for name, nodes in raw["messages"].items()}
    sets["RECADV"] = _tolerate(sets["RECADV"])
    sets["DESADV"] = _tolerate(sets["DESADV"])
    return Table(directory, segments, sets, "UNT")


def nearest(message: str, version: str, release: str) -> tuple[str, bool]:
    """The directory for a message with this version and release, and whether it is exactly that one."""
    wanted = version + release
    if wanted in DIRECTORIES and message in load(wanted).sets:
        return wanted, True
    year = int(release[:2]) if release[:2].isdecimal() and release.isascii() else 96
    directory = "D96A" if 90 <= year <= _LAST_OF_96A else "D01B"
    if message not in load(directory).sets:
        directory = "D01B"
    return directory, message in ("CONTRL", "APERAK")  # they are the same in all directories, as far as they are read


def describe(tag: str) -> str | None:
    """The name of a segment."""
    name: str | None = _content()["segments"].get(tag)
    return name


def element_rule(tag: str, element: int, component: int | None, directory: str = "D96A") -> ElementRule | None:
    """What may stand in an element, or in a component of it, counted from 1."""
    rule = load(directory).segments.get(tag)
    if rule is None or not 0 < element <= len(rule.elements):
        return None
    whole = rule.elements[element - 1]
    if component is None or not whole.components:
        return whole
    return whole.components[component - 1] if 0 < component <= len(whole.components) else None


def element_name(number: str) -> str | None:
    """The name of a data element, for instance of `6060`."""
    name: str | None = _content()["elements"].get(number)
    return name


def code_meaning(number: str, code: str) -> str | None:
    """What a code of a data element means, or None when it is not listed."""
    listed = _content()["codes"].get(number)
    meaning: str | None = listed["codes"].get(code) if listed else None
    return meaning


def _element(text: str) -> ElementRule:
    return to_element(text, _content()["codes"])


def _tolerate(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Read lines without a CPS in front of them; the table puts them inside its group."""
    made = []
    for node in nodes:
        made.append(node)
        if node.tag == "CPS":
            made += [inner._replace(tolerated=True) for inner in node.inside if inner.tag == "LIN"]
    return tuple(made)
