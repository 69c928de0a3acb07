"""Columns proposed from sample receipts (R-165)."""

from __future__ import annotations

import tomllib

import pytest

from gateway.mapping.proposal import NoSampleError, propose

SAMPLES = [
    b"Cond;Pieces;Style No;Doc;Return Auth;Day\nGOOD;2;TEE-BLK-M;WR1;RA77000001;2026-11-20\nD;1;HOOD-GRY-M;WR1;RA77000001;2026-11-20\n",
    b"Day;Return Auth;Doc;Style No;Pieces;Cond\n2026-11-21;RA77000002;WR2;DRS-RED-6;1;GOOD\n",
    b"Style No;Cond;Return Auth;Pieces;Day;Doc\nCAP-NVY-OS;D;RA77000003;3;2026-11-22;WR3\nTEE-BLK-M;DAMAGED;RA77000003;1;2026-11-22;WR3\n",
]


def test_a131_three_samples_in_an_unknown_order_name_their_columns_and_ask_about_the_code_d() -> None:
    found = propose(SAMPLES, skus=["TEE-BLK-M", "HOOD-GRY-M", "DRS-RED-6", "CAP-NVY-OS"])
    assert {c.header: c.meaning for c in found.columns} == {
        "Return Auth": "ra",
        "Style No": "sku",
        "Pieces": "quantity",
        "Cond": "condition",
        "Doc": "receipt_number",
        "Day": "received_on",
    }
    assert {c.code: c.verdict for c in found.codes} == {"GOOD": "plain word", "D": "needs confirmation", "DAMAGED": "plain word"}
    assert all(c.evidence and c.confidence > 0.4 for c in found.columns)
    assert (found.delimiter, found.rows, found.missing) == (";", 5, ())


def test_headers_that_say_nothing_are_read_from_their_values() -> None:
    found = propose([b"F1,F2,F3,F4\nRA77000001,TEE-BLK-M,2,GOOD\nRA77000002,CAP-NVY-OS,1,DAMAGED\n"], skus=["TEE-BLK-M", "CAP-NVY-OS"])
    assert [c.meaning for c in found.columns] == ["ra", "sku", "quantity", "condition"]
    assert found.missing == ("receipt_number",)


def test_what_it_writes_for_a_profile_guesses_no_code() -> None:
    part = tomllib.loads(propose(SAMPLES).as_toml())["receive"]["csv_receipt"]
    assert part["conditions"] == {"GOOD": "good", "DAMAGED": "second"}
    assert part["columns"]["ra"] == ["Return Auth"]
    assert part["delimiter"] == ";"


@pytest.mark.parametrize("content", [b"", b"a,b,c\n", b"\n\n"])
def test_nothing_is_learned_from_nothing(content: bytes) -> None:
    with pytest.raises(NoSampleError):
        propose([content])
