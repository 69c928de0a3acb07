"""Receipts out of documents."""

import pytest

from gateway.mapping.inbound import whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("0002", 2),
        ("2.000", 2),
        ("2.0E+0", 2),
        ("-1", -1),
        ("0", 0),
        ("2.5", None),
        ("", None),
        ("two", None),
        ("NaN", None),
        ("Infinity", None),
        ("1E+999999999", None),
        ("12345678901", None),
        ("٢", 2),
    ],
)
def test_it_takes_only_whole_numbers_for_quantities(text: str, number: int | None) -> None:
    assert whole_number(text) == number
