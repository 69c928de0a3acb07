"""What the fuzzer kept (`tests/benchmarks/fuzz_edi.py`): read in one piece and in small ones, the quick way and the long, with every byte accounted for."""

from pathlib import Path

import pytest

from gateway.edi import dictionary, edifact, edifact_check, rendering, rendering_parts, x12
from gateway.mapping import business_words
from tests.properties import accounting

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
X12_FILES = sorted((CORPUS / "x12").iterdir())
EDIFACT_FILES = sorted((CORPUS / "edifact").iterdir())


@pytest.mark.parametrize("worth", [1, 1 << 30])
@pytest.mark.parametrize("path", X12_FILES, ids=lambda path: path.name)
def test_it_accounts_for_every_byte_of_x12(monkeypatch, path, worth):
    monkeypatch.setattr(dictionary, "_WORTH_PATTERNS", worth)
    data = path.read_bytes()
    told = accounting.told(x12.read_sets([data]))
    assert accounting.told(x12.read_sets(data[at : at + 61] for at in range(0, len(data), 61))) == told
    assert accounting.unaccounted_x12(data) == []


@pytest.mark.parametrize("worth", [1, 1 << 30])
@pytest.mark.parametrize("path", EDIFACT_FILES, ids=lambda path: path.name)
def test_it_accounts_for_every_byte_of_edifact(monkeypatch, path, worth):
    monkeypatch.setattr(edifact_check, "WORTH_PATTERNS", worth)
    data = path.read_bytes()
    told = accounting.told(edifact.read_messages([data]))
    assert accounting.told(edifact.read_messages(data[at : at + 61] for at in range(0, len(data), 61))) == told
    assert accounting.unaccounted_edifact(data) == []


@pytest.mark.parametrize("path", [*X12_FILES, *EDIFACT_FILES], ids=lambda path: path.name)
def test_it_shows_anything(path):
    data = path.read_bytes()
    assert [line.text() for line in rendering.annotate([data])]
    assert len(list(rendering_parts.blocks([data]))) >= 1
    assert all(line.isprintable() for line in rendering_parts.raw_lines([data]))
    assert all(list(one.text()) for one in business_words.tell([data]))
