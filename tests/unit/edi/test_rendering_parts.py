"""The view of a file in blocks: every line and finding of the flat view is in them, at its place."""

import json

import edifact_cases
import pytest
import x12_cases
from test_edifact_read import FAULTY as EDIFACT_FAULTY
from test_x12_read import FAULTY as X12_FAULTY

from gateway.edi import rendering, rendering_parts


def blocks(data):
    return list(rendering_parts.blocks([data]))


def test_it_gathers_the_elements_of_a_segment():
    (mark,) = [block for block in blocks(x12_cases.write()) if block.tag == "W13"]
    assert [(each.ref, each.value) for each in mark.elements] == [("W13-01", "1"), ("W13-02", "EA"), ("W13-03", "04")]
    assert mark.elements[2].meaning == "Quality Problem" and mark.kind == "segment" and mark.findings == ()


def test_it_hangs_a_finding_on_its_element():
    data = x12_cases.write(x12_cases.RECEIPT.replace("*EA**SK*SHOE", "*EACH**SK*SHOE"))
    found = [(each.ref, each.findings[0].code) for block in blocks(data) for each in block.elements if each.findings]
    assert found[0] == ("W07-02", "x12.element-long")


FAULTY = [each[0] for each in [*X12_FAULTY.values(), *EDIFACT_FAULTY.values()] if len(each[0]) < 10_000]


@pytest.mark.parametrize("data", FAULTY)
def test_it_leaves_nothing_out(data):
    flat = [line.finding for line in rendering.annotate([data]) if line.finding]
    made = blocks(data)
    found = [finding for block in made for group in (block.findings, *(each.findings for each in block.elements)) for finding in group]
    assert sorted(map(repr, found)) == sorted(map(repr, flat))
    assert sum(len(block.elements) for block in made) == sum(line.kind == "element" for line in rendering.annotate([data]))
    assert json.dumps([rendering_parts.plain(block) for block in made])


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_it_shows_the_raw_text_segment_by_segment(size):
    flat = x12_cases.flat()
    chunks = [flat[at : at + size] for at in range(0, len(flat), size)]
    lines = list(rendering_parts.raw_lines(chunks))
    assert "".join(lines).encode() == flat and lines[0].startswith("ISA*") and lines[-1].startswith("IEA*")
    assert list(rendering_parts.raw_lines([edifact_cases.write()]))[-1].startswith("UNZ+")


def test_it_shows_what_cannot_be_printed_as_escapes():
    assert list(rendering_parts.raw_lines([b"a\x07b\nc\xe9"])) == ["a\\x07b", "cé"]
