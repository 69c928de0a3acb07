"""Units graded in Loop's words."""

from __future__ import annotations

from dataclasses import replace

from gateway.domain.grading import GradingRules, grade
from tests.unit.domain.test_receiving import TEE2_HOOD, ra, receipt, unit

RULES = GradingRules(
    grades={"good": "grade_a", "second": "grade_c", "B": "grade_b", "damaged": "grade_d"},
    dispositions={"good": "back_to_stock", "second": "resale_hold", "scrap": "recycle"},
)


def test_it_grades_unit_by_unit_good_ones_first() -> None:
    found = grade(ra(*TEE2_HOOD), [receipt(("TEE", 1, 1), ("HOOD", 1, 0))], RULES)
    assert [(u.line_item_id, u.grade, u.disposition) for u in found.units] == [
        ("1", "grade_a", "back_to_stock"),
        ("2", "grade_c", "resale_hold"),
        ("3", "grade_a", "back_to_stock"),
    ]


def test_it_goes_on_with_the_next_unit_in_a_later_receipt_and_never_beyond_the_line() -> None:
    found = grade(ra(unit(1, "TEE"), unit(2, "TEE")), [receipt(("TEE", 1, 0)), receipt(("TEE", 2, 0), number="WR2")], RULES)
    assert [(u.line_item_id, u.note.partition(",")[0]) for u in found.units] == [("1", "receipt WR1"), ("2", "receipt WR2")]


def test_the_partners_own_words_come_first_and_its_photos_go_along() -> None:
    came = receipt(("TEE", 0, 1))
    line = replace(came.lines[0], grade="b", disposition="SCRAP", condition="damaged", note="stain", photos=("https://x/1.jpg",))
    (found,) = grade(ra(unit(1, "TEE")), [replace(came, lines=(line,))], RULES).units
    assert (found.grade, found.disposition, found.description) == ("grade_b", "recycle", "b, damaged, SCRAP; stain")
    assert found.photos == ("https://x/1.jpg",)


def test_a_word_without_meaning_is_asked_about_and_not_guessed() -> None:
    came = receipt(("TEE", 1, 0))
    found = grade(ra(unit(1, "TEE")), [replace(came, lines=(replace(came.lines[0], grade="X"),))], RULES)
    assert (found.units, found.unknown) == ((), ("X",))


def test_a_condition_of_its_own_stands_over_second_quality() -> None:
    came = receipt(("TEE", 0, 1))
    (found,) = grade(ra(unit(1, "TEE")), [replace(came, lines=(replace(came.lines[0], condition="damaged"),))], RULES).units
    assert (found.grade, found.disposition) == ("grade_d", "resale_hold")
