"""Each case is a partner's profile, a file of its and what must be read from it; a fixed bug leaves its masked bytes here.

`python -m tests.golden.test_golden` writes the results of cases that have none yet, to be read before they are committed.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from gateway.config import read_items
from gateway.domain.items import Catalogue
from gateway.mapping import readers
from gateway.mapping.profiles import read_profile

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/input.*"))
TODAY = date(2026, 11, 3)


def read(case: Path) -> object:
    """What is read from a case's file."""
    path = case.parent / "profile.toml"
    profile = read_profile(path.read_text(encoding="utf-8"), source=f"{case.parent.name}/profile.toml")
    catalogue = Catalogue.of(read_items(HERE / "items.csv", []))
    (given,) = case.glob("input.*")
    return readers.say(given.read_bytes(), profile=profile, catalogue=catalogue, today=TODAY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_it_reads_what_the_case_says(case: Path) -> None:
    assert read(case) == json.loads((case / "expected.json").read_text(encoding="utf-8"))


def test_every_folder_is_a_case() -> None:
    folders = {path for path in HERE.glob("*/*") if path.is_dir() and path.parent.name != "__pycache__"}
    assert folders == set(CASES)


if __name__ == "__main__":
    for one in CASES:
        if not (one / "expected.json").exists():
            (one / "expected.json").write_text(json.dumps(read(one), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
