"""Our X12 tables against the facts they were made from, row by row, where those lie beside the repository; and what must be in them anyway."""

import csv
from collections import defaultdict
from itertools import groupby
from pathlib import Path

import pytest

from gateway.edi import dictionary_tables
from gateway.edi.dictionary_tables import Node, load, names

FACTS = Path(__file__).resolve().parents[3].parent / "shared" / "reference" / "x12-tables"
needs_facts = pytest.mark.skipif(not FACTS.exists(), reason="the reference tables are not there")
VERSIONS = ("004010", "005010")
ENVELOPE = {"00401": "004010", "00501": "005010"}
OTHER_NUMBERS = {"G142": "142", "G124": "124", "9830": "337"}  # how the facts name the elements of a GS
CHECKED = ["856", "944", "943", "180", "861", "940", "947", "997", "824"]


def rows(name):
    with (FACTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("version", "set_id"), [(version, set_id) for version in VERSIONS for set_id in CHECKED] + [("005010", "999")])
def test_it_knows_every_set_that_is_checked(version, set_id):
    tags = [node.tag for node in load(version).sets[set_id]]
    assert tags[0] == "ST" and tags[-1] == "SE" and "TA1" in load(version).segments


def facts_of_segments():
    found = defaultdict(list)
    for row in rows("segments.csv"):
        version = ENVELOPE.get(row["version"], row["version"])
        found[version, row["segment"]].append(
            (row["position"], OTHER_NUMBERS.get(row["element"], row["element"]), row["req"], row["type"] or "ID", row["min"], row["max"])
        )
    return found


def ours(version, tag):
    told = []
    for place, rule in enumerate(load(version).segments[tag].elements, 1):
        lengths = ("", "") if rule.kind == "COMP" else (str(rule.shortest), str(rule.longest))
        told.append((f"{place:02d}", rule.number, rule.need, rule.kind, *lengths))
        told += [
            (f"{place:02d}-{at:02d}", part.number, part.need, part.kind, str(part.shortest), str(part.longest))
            for at, part in enumerate(rule.components, 1)
        ]
    return told


@needs_facts
def test_it_has_every_element_of_every_segment():
    facts = facts_of_segments()
    assert set(facts) == {(version, tag) for version in VERSIONS for tag in load(version).segments}
    for (version, tag), expected in facts.items():
        assert ours(version, tag) == expected, (version, tag)


@needs_facts
def test_it_has_every_syntax_note():
    facts = defaultdict(set)
    for row in rows("syntax_notes.csv"):
        facts[row["version"], row["segment"]].add(row["note"].replace(" ", ""))
    for version in VERSIONS:
        for tag, rule in load(version).segments.items():
            assert {written(note) for note in rule.relations} == facts.get((version, tag), set()), (version, tag)


def written(note):
    if not note.composite:
        return note.kind + "".join(f"{place:02d}" for place in note.places)
    return note.kind + "".join(f"{note.composite:02d}-{place:02d}" for place in note.places)


def places(nodes, loop=""):
    """A set as rows of (loop, segment, need, most, need of the loop, most of the loop)."""
    for node in nodes:
        if node.loop:
            path = f"{loop}/{node.tag}".strip("/")
            yield path, node.tag, "M", "1", node.need, str(node.most or ">1")
            yield from places(node.inside, path)
        else:
            yield loop, node.tag, node.need, str(node.most or ">1"), "", ""


@needs_facts
@pytest.mark.parametrize("path", sorted(FACTS.glob("sets/*.csv")), ids=lambda path: path.stem)
def test_it_has_every_place_of_every_set(path):
    set_id, version = path.stem.split("_")
    facts = [(row["loop"], row["segment"], row["req"], row["max_use"], row["loop_req"], row["loop_repeat"]) for row in rows(f"sets/{path.name}")]
    raw = dictionary_tables._read(f"{version}.json")["sets"][set_id]
    assert list(places(map(dictionary_tables.to_node, raw))) == facts


@needs_facts
def test_it_has_every_code_with_its_meaning():
    facts = sorted(rows("codes.csv"), key=lambda row: row["element"])
    for element, group in groupby(facts, key=lambda row: row["element"]):
        assert {row["code"] for row in group} == set(names()["codes"][element]["codes"]), element


def test_it_reads_a_receipt_with_its_lines_in_and_outside_a_loop_of_lx():
    for version in VERSIONS:
        homes = [node for node in load(version).sets["944"] if node.tag in ("LX", "W07")]
        assert [home.tag for home in homes] == ["LX", "W07"] and any(inner.tag == "W07" for inner in homes[0].inside)
        assert all(isinstance(home, Node) and home.loop for home in homes)
