"""Amounts in their currency's minor unit (ISO 4217): 2 places for most, 0 for JPY, 3 for KWD; rounded half-up, never summed across currencies."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal("0.00")
WITHOUT_MINOR_UNIT = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"]
)
WITH_THOUSANDTHS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])


def places(currency: str) -> int:
    """How many decimal places a currency has."""
    if currency in WITHOUT_MINOR_UNIT:
        return 0
    return 3 if currency in WITH_THOUSANDTHS else 2


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount at its currency's minor unit, half-up."""
    return amount.quantize(Decimal(1).scaleb(-places(currency)), rounding=ROUND_HALF_UP)


def text(amount: Decimal, currency: str) -> str:
    """An amount as it is written in the book and shown: rounded half-up, with its currency's places."""
    return f"{rounded(amount, currency):f}"


def read(written: str) -> Decimal:
    """An amount as a service writes it: at least two places, nothing cut off; raises decimal.InvalidOperation when it is no amount."""
    amount = Decimal(written)
    return amount.quantize(ZERO) if int(amount.as_tuple().exponent) > -2 else amount


def total(amounts: Iterable[Decimal]) -> Decimal:
    """A sum of amounts in one currency."""
    return sum(amounts, ZERO)
