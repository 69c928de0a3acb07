"""Notes on a return's timeline in Loop: at most 254 characters, the most important facts first, and no fact cut in half (R-017).

A template says how a note is worded; it gets the facts as one text, `facts`. Whole facts are left out from the end until the note fits, and the
note says how many: the full record is in the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.mapping import outbound

MOST_NUMBERS = 3


def write(template: str, values: dict[str, Any], told: Sequence[str], *, longest: int) -> str:
    """A note with as many of the facts as fit, in their order; a single fact that is too long is cut at a word."""
    for count in range(len(told), 0, -1):
        line = " ".join(outbound.words(template, {**values, "facts": join(told, count)}).split())
        if len(line) <= longest:
            return line
    return outbound.words(template, {**values, "facts": join(told, 1) if told else ""}, longest=longest)


def join(told: Sequence[str], count: int) -> str:
    """The first facts, and how many there are besides."""
    rest = len(told) - count
    return "; ".join(told[:count]) + (f"; and {rest} more in the gateway" if rest else "")


def numbers(found: Sequence[str]) -> str:
    """Receipt or RA numbers in a line: all of a few, else the first and how many there are besides."""
    listed = list(dict.fromkeys(found))
    rest = len(listed) - MOST_NUMBERS
    return ", ".join(listed[:MOST_NUMBERS]) + (f" and {rest} more" if rest > 0 else "")
