"""The profiles of docs/formats.md can be used as they stand: each makes a document of a sample RA."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.main import cli
from tests.stage import ROOT, make_workspace

PROFILES = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "formats.md").read_text(encoding="utf-8"), re.DOTALL)
CASE = ROOT / "tests" / "golden" / "fir" / "numbers-and-dates"


def check(folder: Path) -> tuple[int, str]:
    """The exit code of `check-config`, and what it says."""
    done = CliRunner().invoke(cli, ["check-config", "--config", str(folder)], standalone_mode=False)
    return done.return_value, done.output


@pytest.mark.parametrize("profile", PROFILES, ids=lambda text: re.search(r'partner = "(\w+)"', text)[1])
def test_it_is_a_whole_profile_whose_document_can_be_sent(tmp_path: Path, profile: str) -> None:
    make_workspace(tmp_path)
    (tmp_path / "mappings" / "example.toml").write_text(profile, encoding="utf-8")
    assert check(tmp_path)[0] == 0


def test_a_template_that_makes_no_document_is_told_before_it_is_used(tmp_path: Path) -> None:
    make_workspace(tmp_path, edits=[("templates/856.x12.j2", "*{{ packed.quantity }}*EA", "*1*EA")])
    code, said = check(tmp_path)
    assert code == 1
    assert "mappings of ATLAS: a sample 856 (original) cannot be sent: RA99999999: read back" in said


def test_a_case_that_is_read_otherwise_names_the_entry(tmp_path: Path) -> None:
    make_workspace(tmp_path)
    text = (ROOT / "tests" / "golden" / "fir" / "profile.toml").read_text(encoding="utf-8")
    (tmp_path / "mappings" / "fir.toml").write_text(text, encoding="utf-8")
    case = tmp_path / "mappings" / "fir.cases" / "a sheet"
    case.mkdir(parents=True)
    (case / "input.xlsx").write_bytes((CASE / "input.xlsx").read_bytes())
    (case / "expected.json").write_text("[]", encoding="utf-8")
    code, said = check(tmp_path)
    assert code == 1
    assert 'fir.cases/a sheet: entry 1 is read as {"receipt": "HS-55060-20261102"' in said
    assert "expected is nothing" in said
    (case / "expected.json").write_text(
        (CASE / "expected.json")
        .read_text(encoding="utf-8")
        .replace('"sku": "BOOT-TAN-40"', '"sku": ""')
        .replace('"sku": "SCARF-GRN"', '"sku": ""')
        .replace('"sku": "BELT-BRN-L"', '"sku": ""'),
        encoding="utf-8",
    )
    assert check(tmp_path) == (0, "3 partner(s), 5 warehouse(s), 8 item(s)\n1 case(s) read\nThe configuration is in order.\n")


BROKEN = [
    ('damaged_quantity = "on_top"        # RCD-02', "#", "receive.x12_861.damaged_quantity: must be set"),
    ('damaged_quantity = "listed"', "#", "receive.x12_180.damaged_quantity: must be set"),
    ('damaged_quantity = "included"      # QTY+48', "#", "receive.recadv.damaged_quantity: must be set"),
    ('damaged_quantity = "included"\ncarry', "carry", "damaged_quantity must be set"),
    ('[receive.csv_receipt.conditions]\nA = "good"\nB = "second"', "", "conditions must be set"),
    ('version = "005010"', 'version = "004010"', "a 999 exists from 005010 on"),
    ("sku = { start = 6, length = 30 }", "sku = { start = 5, length = 30 }", "line.sku begins at 5, but line_no reaches to 5"),
    ("ra_limit = 30\nreasons", "ra_limit = 31\nreasons", "a 180 holds at most 30"),
    ('marks = { header = "H", line = "D" }', "", "need `mark`"),
    ('numbered_as = "{ra}-{received_on}"     # the', "#", "no column holds the receipt number"),
    ('encoding = "cp1252"\n\n[receive', 'encoding = "cp9"\n\n[receive', "send.csv.encoding: 'cp9' is no encoding"),
    ('numbered_as = "{ra}-{received_on}"', 'numbered_as = "{ra}-{day}"', "has an unknown token 'day'"),
    ('[edifact]\npartner_id = "4012345000016"', '[edifact]\npartner_id = ""', "edifact.partner_id"),
]


@pytest.mark.parametrize(("old", "new", "words"), BROKEN, ids=[b[2][:40] for b in BROKEN])
def test_a_profile_that_leaves_a_question_open_is_refused_with_its_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    make_workspace(tmp_path)
    (profile,) = (text for text in PROFILES if old in text)
    (tmp_path / "mappings" / "example.toml").write_text(profile.replace(old, new), encoding="utf-8")
    code, said = check(tmp_path)
    assert code == 1
    assert words in said
    assert "mappings/example.toml, line " in said
