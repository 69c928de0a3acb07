"""Flat files and profiles: what is written reads back the same, and no file, however mangled, is more than read or told."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import read_items
from gateway.domain.items import Catalogue
from gateway.edi import fixedwidth, flatfile
from gateway.mapping import readers
from gateway.mapping.profiles import Profile, read_profile

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = sorted(GOLDEN.glob("*/*/input.*"))
TODAY = date(2026, 11, 3)
VALUES = st.text(st.characters(codec="ascii", min_codepoint=0x21), max_size=12)
LAYOUT = fixedwidth.layout_of(
    {
        "line": {
            "sku": {"start": 2, "length": 12},
            "quantity": {"start": 14, "length": 9, "align": "right", "fill": "0", "decimals": 2},
            "note": {"start": 30, "length": 12, "align": "right"},
        },
        "mark": {"start": 1, "length": 1},
        "marks": {"line": "D"},
    }
)


@cache
def profile_of(partner: str) -> Profile:
    """A golden partner's profile."""
    return read_profile((GOLDEN / partner / "profile.toml").read_text(encoding="utf-8"), source=partner)


@cache
def catalogue() -> Catalogue:
    """The golden items."""
    return Catalogue.of(read_items(GOLDEN / "items.csv", []))


def units(content: bytes, partner: str) -> int:
    """The units of all receipts in a file."""
    found = readers.say(content, profile=profile_of(partner), catalogue=catalogue(), today=TODAY)
    assert all("message" in entry for entry in found if "fault" in entry)
    return sum(line["good"] + line["second"] for entry in found if "receipt" in entry for line in entry["lines"])


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, st.integers(0, 999_999), VALUES), min_size=1, max_size=5))
def test_a_line_of_fixed_width_reads_back(rows: list[tuple[str, int, str]]) -> None:
    lines = [fixedwidth.write_line(LAYOUT, "line", {"sku": sku, "quantity": str(count), "note": note}) for sku, count, note in rows]
    read = list(fixedwidth.read_rows(["\n".join(lines).encode()], LAYOUT))
    assert [(row.values["sku"], row.values["quantity"], row.values["note"]) for row in read] == [(s, f"{n}.00", t) for s, n, t in rows]


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x1a\0\ufeff"), max_size=8), min_size=2, max_size=2),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(",;|\t"),
)
def test_a_delimited_file_reads_back(rows: list[list[str]], delimiter: str) -> None:
    content = flatfile.write_rows(["a", "b"], rows, delimiter=delimiter, quote_all=True)
    read = list(flatfile.read_rows([content], flatfile.Layout(columns={"a": ("a",), "b": ("b",)}, delimiter=delimiter)))
    given = [[value.strip() for value in row] for row in rows if any(value.strip(" \x1a\0") for value in row)]
    assert [[row.values["a"], row.values["b"]] for row in read if isinstance(row, flatfile.Row)] == given


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_mangled_file_is_read_or_told_and_never_breaks_the_reader(path: Path, data: st.DataObject) -> None:
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content)))
    cut = data.draw(st.integers(0, 12))
    put = data.draw(st.binary(max_size=4))
    units(content[:at] + put + content[at + cut :], path.parent.parent.name)
