"""Files found in public or made to be messy, when they are at hand: all are read to the end, and their faults are found."""

from pathlib import Path

import pytest

from gateway.edi import x12

SAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "samples"
FOLDERS = ("180", "824", "846", "856", "861", "940", "943", "944", "945", "947", "997", "999", "made-messy-944", "ta1", "x12-envelope")
INDEXED = ("944", "made-messy-944", "997", "x12-envelope")
FAULTS = {
    "SE01 ": "x12.se01-count", "GE01 ": "x12.ge01-count", "IEA01 ": "x12.iea01-count", "ISA13/IEA02 differ": "x12.iea02-control",
    "IEA missing": "x12.iea-missing", "GE missing": "x12.ge-missing", "SE missing": "x12.se-missing", "SE without ST": "x12.st-missing",
    "ST outside GS": "x12.group-missing", "no ISA/IEA envelope": "x12.headless", "no ISA": "x12.not-edi", "empty": "x12.empty",
}  # fmt: skip
# The index was made by reading every interchange of this file with the delimiters of the first; there are eight, all closed.
MISREAD = {"997-bots-mailbag.edi"}

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample files are not at hand")


def files():
    return [path for folder in FOLDERS for path in sorted((SAMPLES / folder).glob("*")) if path.suffix != ".md"]


def codes(path):
    found = []
    for event in x12.read_sets([path.read_bytes()]):
        found += [event.finding] if isinstance(event, x12.FileFinding) else getattr(event, "findings", [])
    return {finding.code for finding in found}


def indexed():
    for folder in INDEXED:
        index = SAMPLES / folder / "INDEX.md"
        lines = index.read_text(encoding="utf-8").splitlines() if index.exists() else []
        for line in lines:
            cells = [cell.strip() for cell in line.split("|")]
            if line.startswith("| ") and len(cells) > 8 and cells[1].endswith(".edi"):
                yield pytest.param(SAMPLES / folder / cells[1], cells[7], id=cells[1])


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_it_reads_every_sample_to_its_end(path):
    data = path.read_bytes()
    whole = list(x12.read_sets([data]))
    assert whole
    slices = (data[at : at + 5] for at in range(0, len(data), 5))
    assert [type(event) for event in x12.read_sets(slices)] == [type(event) for event in whole]


@pytest.mark.parametrize(("path", "remark"), list(indexed()))
def test_it_finds_the_fault_that_the_index_names(path, remark):
    if path.name in MISREAD:
        pytest.skip("the index is wrong about this file")
    expected = {code for words, code in FAULTS.items() if words in remark and not ("no ISA/" in remark and words == "no ISA")}
    if "no ISA/IEA envelope" in expected or "x12.headless" in expected:
        expected = {"x12.headless"}  # what stands inside is not read without an envelope
    found = codes(path)
    assert expected <= found
    if remark == "envelope in order":
        assert not found & set(FAULTS.values())
