"""What all readers of receipts share: the result, the fault that ends it, quantities, the sums of a line.

A document that obeys the syntax can still make no sense as a receipt. Then it is none: a `ReceiptFault` says why, with the place, and nothing is applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.domain.documents import Receipt, ReceiptLine
from gateway.domain.items import Catalogue
from gateway.edi.syntax import Finding, Scope, Severity
from gateway.errors import PermanentError

LONGEST_QUANTITY = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReceipt:
    """A receipt, or why there is none; `listed_only` lines mean that absent ones came as announced (W17-01 X or N).

    `lines` are the numbers of the lines of a flat file that it was made of.
    """

    receipt: Receipt | None
    faults: tuple[Finding, ...] = ()
    listed_only: bool = False
    position: str = ""
    lines: tuple[int, ...] = ()


class ReceiptFault(PermanentError):
    """A document is no receipt."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def fault_at(code: str, message: str, remedy: str, *, at: Any = None, element: int | None = None, value: str | None = None) -> ReceiptFault:
    """A fault of a document, at a segment of it."""
    return ReceiptFault(
        Finding(
            code=code,
            severity=Severity.ERROR,
            scope=Scope.SET,
            message=message,
            remedy=remedy,
            offset=at.offset if at else 0,
            segment=at.ordinal if at else None,
            tag=at.tag if at else None,
            element=element,
            value=value,
        )
    )


def unit_fault(unit: str, units: Mapping[str, int], *, part: str, partner: str, at: Any, element: int) -> ReceiptFault:
    """A unit that the profile cannot count in pieces."""
    return fault_at(
        "receipt.unit",
        f"the unit {unit!r} is not one the profile can count in pieces ({', '.join(filter(None, units))})",
        f"if it has a fixed number of pieces, add it under [{part}.units] of {partner}, e.g. {unit or 'EA'} = 12, and replay",
        at=at,
        element=element,
        value=unit,
    )


def meaning_fault(code: str, what: str, choices: str, *, part: str, partner: str, at: tuple[Any, int]) -> ReceiptFault:
    """A code without a meaning in the profile; `at` is its segment and element."""
    return fault_at(
        "receipt.condition",
        f"the {what} {code!r} has no meaning in {partner}'s profile",
        f'ask the partner what it means, add "{code}" = "{choices}" under [{part}], and replay',
        at=at[0],
        element=at[1],
        value=code,
    )


def pieces(text: str, *, at: Any, element: int) -> int:
    """A quantity that may be zero and must be whole."""
    number = whole_number(text)
    if number is None or number < 0:
        what = "not a whole number of units" if number is None else "negative"
        remedy = "correct the quantity; to take back an earlier receipt, ask for a correction instead"
        raise fault_at("receipt.quantity", f"the quantity {text!r} is {what}", remedy, at=at, element=element, value=text)
    return number


def good_of(received: int, second: int, sense: str, *, partner: str, at: Any, element: int) -> int:
    """The good units of a line, by what its received quantity contains (R-080)."""
    if sense != "included":
        return received
    if second > received:
        raise fault_at(
            "receipt.more-damaged-than-received",
            f"{second} units are reported damaged, but only {received} received, and {partner}'s received quantity includes the damaged ones",
            "correct the quantities, or change damaged_quantity in the profile if the damaged units come on top",
            at=at,
            element=element,
            value=str(received),
        )
    return received - second


def line_of(stated: Sequence[str], counts: Mapping[str, int], *, partner: str, catalogue: Catalogue, condition: str, position: str) -> ReceiptLine:
    """A receipt line of what was counted: `good`, `second`, `short`."""
    found = catalogue.resolve(partner=partner, candidates=stated)
    return ReceiptLine(
        stated=stated[0],
        sku=found.sku if found else "",
        good=counts.get("good", 0),
        second=counts.get("second", 0),
        missing=counts.get("short", 0),
        condition=condition,
        position=position,
    )


def whole_number(text: str) -> int | None:
    """A quantity of pieces: `2`, `0002`, `2.000` and `2.0E+0` are 2; what is no whole number, or beyond a thousand million, is none."""
    if text.isascii() and text.isdigit() and len(text) <= LONGEST_QUANTITY:
        return int(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() >= LONGEST_QUANTITY or number != number.to_integral_value():
        return None
    return int(number)
