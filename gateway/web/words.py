"""How pages write instants, ages, money and states; and what no text of a document may do to a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from gateway.store import database

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
MINUTE, HOUR, DAY = 60, 3600, 86400
TONES = {
    "good": (
        "processed",
        "refund imported",
        "closed",
        "acknowledged",
        "received in full",
        "applied",
        "delivered",
        "accepted",
        "imported",
        "confirmed",
        "valid",
        "done",
    ),
    "warn": ("held", "partly received", "overdue", "partial", "accepted with errors", "in_doubt", "in doubt", "incomplete", "waiting", "unmatched"),
    "bad": ("flagged", "error", "quarantine", "rejected", "failed", "broken", "expired"),
}
TONE = {word: tone for tone, words in TONES.items() for word in words}


def visible(value: Any) -> Any:
    """Text with control and direction marks written out, so that a value is read as it is and turns nothing around."""
    if isinstance(value, str) and not isinstance(value, Markup) and UNSEEN.search(value):
        return UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", value)
    return value


def moment_of(value: str | datetime | None) -> datetime | None:
    """An instant of the book."""
    if not value:
        return None
    return value if isinstance(value, datetime) else database.moment(value)


def age(seconds: float) -> str:
    """A length of time in one word."""
    if seconds < 0:
        return f"in {age(-seconds)}"
    if seconds < MINUTE:
        return "just now"
    for unit, length in (("day", DAY), ("hour", HOUR), ("minute", MINUTE)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return ""


def cents(value: int | None, currency: str = "") -> str:
    """Cents as an amount."""
    return f"{Decimal(value or 0) / 100:,.2f}{' ' + currency if currency else ''}"


def tone(word: str) -> str:
    """Whether a state is good, a warning, bad or neither."""
    return TONE.get(word or "", "plain")


def filters(*, now: Callable[[], datetime], local: Callable[[datetime], datetime]) -> dict[str, Callable[..., Any]]:
    """The filters of the templates."""

    def when(value: str | datetime | None) -> str | Markup:
        at = moment_of(value)
        if at is None:
            return "–"
        shown = local(at)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            at.isoformat(timespec="seconds"), f"{shown:%d %b %Y %H:%M:%S %Z}", f"{shown:%d %b %Y %H:%M}"
        )

    def since(value: str | datetime | None) -> str:
        at = moment_of(value)
        return age((now() - at).total_seconds()) if at else "–"

    def day(value: datetime) -> str:
        return f"{local(value):%d %b}"

    return {"when": when, "since": since, "day": day, "cents": cents, "tone": tone, "words": lambda text: str(text).replace("_", " ")}
