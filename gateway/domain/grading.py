"""What Loop is told about the condition of single units (requirement R-101): a grade and a disposition, in Loop's words, with the partner's own words beside.

A partner counts by SKU, Loop grades unit by unit. Which of several equal units is the damaged one is not known and makes no difference to Loop, so the
units of an RA line are taken in order: those of the first receipt line first, good ones before the others. A word the profile gives no meaning is not
guessed: nothing is told about those units, and the word is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from gateway.domain.documents import Authorization, AuthorizationLine, Receipt, ReceiptLine

GRADES = ("grade_a", "grade_b", "grade_c", "grade_d", "incorrect_item", "missing", "junk")
DISPOSITIONS = ("back_to_stock", "resale_hold", "recycle", "donate", "missing")
LONGEST_DESCRIPTION = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingRules:
    """The partner's words in Loop's; where a line has none of its own, `good`, `second` and the condition (`damaged`, …) are its words."""

    grades: Mapping[str, str]
    dispositions: Mapping[str, str]
    processor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedUnit:
    """One Loop line item with its grade and disposition, either of them empty when it has none."""

    line_item_id: str
    grade: str
    disposition: str
    description: str
    note: str
    inspected_on: date
    processor: str = ""
    photos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """The graded units of an RA, and the words that nobody gave a meaning."""

    units: tuple[GradedUnit, ...]
    unknown: tuple[str, ...] = field(default=())


def grade(ra: Authorization, receipts: Sequence[Receipt], rules: GradingRules) -> Grading:
    """Grade the units of an RA that came; components of a bundle are no units of Loop's and are left out."""
    units: list[GradedUnit] = []
    unknown: dict[str, None] = {}
    for line in ra.lines:
        ids = iter(() if line.bundle_parts else line.unit_ids)
        for receipt, came, quality in _came(line, receipts):
            number = next(ids, None)
            if number is None:
                break
            found = _unit(number, receipt, came, quality, rules)
            if isinstance(found, str):
                unknown[found] = None
            else:
                units.append(found)
    return Grading(units=tuple(units), unknown=tuple(unknown))


def _came(line: AuthorizationLine, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, ReceiptLine, str]]:
    """One entry a unit that came for an RA line, in order."""
    for receipt in receipts:
        for came in receipt.lines:
            if came.sku == line.sku:
                yield from ((receipt, came, "good") for _ in range(came.good))
                yield from ((receipt, came, "second") for _ in range(came.second))


def _unit(number: str, receipt: Receipt, came: ReceiptLine, quality: str, rules: GradingRules) -> GradedUnit | str:
    """A unit's grading, or the word that has no meaning."""
    words = [word for word in (came.grade, came.condition if quality == "second" else "", quality) if word]
    grade_, unknown = _meaning(came.grade, words, rules.grades)
    disposition, other = _meaning(came.disposition, [came.disposition, *words], rules.dispositions)
    if unknown or other:
        return unknown or other
    stated = ", ".join(dict.fromkeys(filter(None, (came.grade, came.condition or quality, came.disposition))))
    return GradedUnit(
        line_item_id=number,
        grade=grade_,
        disposition=disposition,
        description=f"{stated}; {came.note}"[:LONGEST_DESCRIPTION] if came.note else stated[:LONGEST_DESCRIPTION],
        note=f"receipt {receipt.receipt_no}, {came.position}",
        inspected_on=receipt.received_on,
        processor=rules.processor,
        photos=came.photos,
    )


def _meaning(stated: str, words: Sequence[str], table: Mapping[str, str]) -> tuple[str, str]:
    """Loop's word for the first of the words that has one; what was stated outright must have one, else it is the second value."""
    known = {key.upper(): value for key, value in table.items()}
    if stated and stated.upper() not in known:
        return "", stated
    return next((known[word.upper()] for word in words if word.upper() in known), ""), ""
