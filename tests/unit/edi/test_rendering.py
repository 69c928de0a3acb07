"""The view of a file: names, meanings, and every finding at its place."""

import edifact_cases
import pytest
import x12_cases
from test_edifact_read import FAULTY as EDIFACT_FAULTY
from test_x12_read import FAULTY as X12_FAULTY

from gateway.edi import rendering


def view(data):
    return [line.text() for line in rendering.annotate([data])]


def test_it_names_segments_elements_and_codes_of_x12():
    lines = view(x12_cases.write())
    assert lines[0] == "Interchange 000000901 from ZZ JUNIPER3PL to ZZ ACMESHOES, 260310 1405, test"
    assert lines[1].strip() == "Group 901 of kind RE, version 004010, from JUNIPER3PL to ACMESHOES"
    assert lines[2].strip() == "Set 944 0001: accepted"
    (condition,) = [line for line in lines if "W13-03" in line]
    assert condition.split("  ")[-1] == "= Quality Problem" and " 04 " in condition
    assert any(line.split() == ["W07", "Item", "Detail", "for", "Stock", "Receipt"] for line in lines)
    assert lines[-1] == "End of interchange 000000901: accepted"


def test_it_names_segments_elements_and_codes_of_edifact():
    lines = view(edifact_cases.write())
    assert lines[0] == "Interchange 2208 from CEDARWMS ZZ to NORTHPEAK ZZ, 260721 1612, UNOC"
    assert "Message RECADV D.96A 1: accepted" in lines[1]
    assert any("QTY-01.1" in line and line.endswith("= Received quantity") for line in lines)
    assert lines[-1] == "End of interchange 2208: accepted"


def test_it_puts_a_finding_under_its_element():
    data = x12_cases.write(x12_cases.RECEIPT.replace("*EA**SK*SHOE", "*EACH**SK*SHOE"))
    lines = view(data)
    at = next(n for n, line in enumerate(lines) if "!!" in line)
    assert "W07-02" in lines[at - 1] and "W07-02" in lines[at] and "byte" in lines[at]


def test_it_puts_a_finding_of_an_empty_element_under_its_segment():
    lines = view(x12_cases.write(x12_cases.RECEIPT.replace("*JW0000417*", "**")))
    at = next(n for n, line in enumerate(lines) if "!!" in line)
    assert "W17-03" in lines[at]


@pytest.mark.parametrize("data", [each[0] for each in [*X12_FAULTY.values(), *EDIFACT_FAULTY.values()] if len(each[0]) < 10_000])
def test_it_leaves_no_finding_out(data):
    cases = x12_cases if b"ISA" in data[:10] else edifact_cases
    shown = [line.finding for line in rendering.annotate([data]) if line.finding]
    assert sorted(map(repr, shown)) == sorted(map(repr, cases.findings_of(data)))


def test_it_puts_a_missing_segment_in_front_of_what_stands_in_its_place():
    lines = view(x12_cases.write(x12_cases.RECEIPT.replace("W14*3*3\n", "")))
    at = next(n for n, line in enumerate(lines) if "!  " in line)
    assert "W14" in lines[at] and lines[at + 1].split()[0] == "SE"


def test_it_shows_the_findings_of_components_once():
    data = edifact_cases.write(edifact_cases.RECEIPT.replace("QTY+12:2", "QTY+12:TWO:" + "X" * 9))
    shown = [line.finding.component for line in rendering.annotate([data]) if line.finding]
    assert shown == [2, 3]


def test_it_says_what_is_no_edi():
    assert view(b"Dear all, the goods have come.") == [
        "!! Byte 1: This is no X12 file: it has no ISA segment. It begins with 'Dear all, the goods '. Check what the sender put into the folder."
    ]


def test_it_names_the_first_error_before_any_note():
    findings = x12_cases.findings_of(x12_cases.flat().replace(b"GS*RE*", b"GS*IN*").replace(b"SE*13*", b"SE*12*"))
    assert rendering.first_fault(findings).code == "x12.se01-count" and rendering.first_fault([]) is None
