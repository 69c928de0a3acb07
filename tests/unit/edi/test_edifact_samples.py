"""EDIFACT files found in public, when they are at hand: all are read to the end, and the faults that their index names are found."""

import re
from pathlib import Path

import pytest

from gateway.edi import edifact

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
FOLDERS = ("aperak", "contrl", "desadv", "edifact-envelope", "invrpt", "recadv")
FAULTS = {
    "UNT/UNH": "edifact.unt02-reference", "UNH/UNT reference differ": "edifact.unt02-reference", "UNB/UNZ reference differ": "edifact.unz02-reference",
    "no UNB": "edifact.headless",
}  # fmt: skip
MISREAD = {"unb-staedi-wrapped.edi"}  # the index was made without undoing the wrap; the file is in order

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the sample files are not at hand")


def files():
    return [path for folder in FOLDERS for path in sorted((SHARED / "samples" / folder).glob("*.edi"))]


def codes(data):
    found = []
    for event in edifact.read_messages([data]):
        found += [event.finding] if isinstance(event, edifact.FileFinding) else getattr(event, "findings", [])
    return {finding.code for finding in found}


def indexed():
    for folder in FOLDERS:
        index = SHARED / "samples" / folder / "INDEX.md"
        for line in index.read_text(encoding="utf-8").splitlines() if index.exists() else []:
            cells = [cell.strip() for cell in line.split("|")]
            if line.startswith("| ") and len(cells) > 8 and cells[1].endswith(".edi") and cells[1] not in MISREAD:
                yield pytest.param(SHARED / "samples" / folder / cells[1], cells[7], id=cells[1])


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_it_reads_every_sample_to_its_end(path):
    data = path.read_bytes()
    whole = list(edifact.read_messages([data]))
    slices = (data[at : at + 5] for at in range(0, len(data), 5))
    assert whole and [type(event) for event in edifact.read_messages(slices)] == [type(event) for event in whole]


@pytest.mark.parametrize(("path", "remark"), list(indexed()))
def test_it_finds_the_fault_that_the_index_names(path, remark):
    expected = {code for words, code in FAULTS.items() if words in remark}
    expected |= {"edifact.unt01-count"} if "segments" in remark else set()
    expected |= {"edifact.unz01-count"} if re.search(r"UNZ \d", remark) else set()
    found = codes(path.read_bytes())
    assert expected <= found
    if remark == "envelope in order":
        assert not found & {*FAULTS.values(), "edifact.unt01-count", "edifact.unz01-count"}


@pytest.mark.parametrize("path", sorted((SHARED / "reference" / "edifact-examples").glob("*.edi")), ids=lambda path: path.name)
def test_it_finds_nothing_in_our_own_examples(path):
    assert codes(path.read_bytes()) == set()
