"""Every finding of X12 and EDIFACT that the code can make is made by a case of these tests, and each has words and a remedy."""

import re
from pathlib import Path

import edifact_cases
import pytest
import test_edifact_read
import test_x12_read
import x12_cases
from test_dictionary import ELEMENTS, HEADS, ORDER

from gateway.edi import edifact_check, edifact_faults, x12_faults
from gateway.edi.dictionary_words import ELEMENT_CODES, SEGMENT_CODES

ROOM = Path(__file__).resolve().parents[3] / "gateway" / "edi"
OWN = {*x12_faults.FAULTS, *edifact_faults.FAULTS, *SEGMENT_CODES.values(), *ELEMENT_CODES.values()}
SPOKEN = re.compile(r'code="((?:x12|edifact)\.[a-z0-9-]+)"')
X12_FILE, EDIFACT_FILE = test_x12_read.FILE, test_edifact_read.FILE
GROUP = X12_FILE[X12_FILE.index(b"GS*") : X12_FILE.index(b"IEA*")]
MESSAGE = EDIFACT_FILE[EDIFACT_FILE.index(b"UNH+") : EDIFACT_FILE.index(b"UNZ+")]
OTHERS = [  # what no list of the other tests has
    X12_FILE + b"-- sent by relay --" + X12_FILE,
    X12_FILE.replace(b"IEA*1*", GROUP + b"IEA*2*"),
    x12_cases.write(x12_cases.RECEIPT.replace("N9*RZ*RA55120", "N9*RZ*RA55120^X"), version="005010"),
    x12_cases.write(HEADS["944"].format("9")),
    x12_cases.write("X*1", set_id="850"),
    x12_cases.write(version="003020"),
    x12_cases.write("BGN*00*RA1*20260310\nRDR*RA*DR*AA\nBLI*SK*A*2*EA", set_id="180"),
]
EDIFACT_OTHERS = [
    edifact_cases.write(edifact_cases.RECEIPT.replace("NAD+SU", "QTY+48:1\nNAD+SU")),
    edifact_cases.write(edifact_cases.RECEIPT.replace("CNT+2", "DGS+ADR++++++++A:12\nCNT+2")),
    EDIFACT_FILE.replace(MESSAGE, 2 * (b"UNG+RECADV+A+B+260721:1612+7+UN'" + MESSAGE + b"UNE+1+7'")),
    EDIFACT_FILE.replace(MESSAGE, MESSAGE + b"UNG+RECADV+A+B+260721:1612+7+UN'" + MESSAGE + b"UNE+1+7'"),
]


def in_all(cases):
    """The data of a list of cases, whatever else stands in them."""
    for each in cases.values():
        yield each if isinstance(each, bytes) else each[0]


def x12_findings():
    data = [*in_all(test_x12_read.FAULTY), *in_all(test_x12_read.NOTED), *in_all(test_x12_read.OUTSIDE), *OTHERS]
    data += [x12_cases.write(body) for body in (*in_all(ORDER), *in_all(ELEMENTS))]
    return [finding for each in data for finding in x12_cases.findings_of(each)]


def edifact_findings():
    data = [*in_all(test_edifact_read.FAULTY), *in_all(test_edifact_read.NOTED), *in_all(test_edifact_read.OUTSIDE), *EDIFACT_OTHERS]
    data += [edifact_cases.write(body) for body in in_all(test_edifact_read.INSIDE)]
    return [finding for each in data for finding in edifact_cases.findings_of(each)]


@pytest.fixture(scope="module")
def made():
    return x12_findings() + edifact_findings()


def listed():
    spoken = {code for path in ROOM.glob("*.py") for code in SPOKEN.findall(path.read_text(encoding="utf-8"))}
    return OWN | spoken | set(edifact_check.SEGMENT_CODES) | set(edifact_check.ELEMENT_CODES)


def test_every_finding_code_is_made_by_a_case(made):
    assert listed() - {finding.code for finding in made} == set()


def test_every_finding_made_is_listed_and_says_what_and_what_to_do(made):
    assert {finding.code for finding in made} <= listed()
    assert all(finding.message and finding.remedy and finding.message[0] != "{" and "{" not in finding.message + finding.remedy for finding in made)
