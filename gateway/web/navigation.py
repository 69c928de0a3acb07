"""The menu: every list one click away, in the order of a working day."""

from __future__ import annotations

from collections.abc import Callable

from gateway.web.guard import ADMINISTER, LOOK, MONEY

MENU: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("Now", (("Today", "/", LOOK), ("Needs a person", "/desk", LOOK), ("Unknown parcels", "/parcels", LOOK), ("Aging", "/aging", LOOK))),
    ("Look up", (("Returns", "/returns", LOOK), ("Files", "/files", LOOK), ("Partners", "/partners", LOOK))),
    (
        "Money",
        (
            ("Refunds", "/refunds", MONEY),
            ("Exchange orders", "/orders", MONEY),
            ("Stock", "/stock", LOOK),
            ("Differences", "/differences", MONEY),
            ("Reports", "/reports", MONEY),
        ),
    ),
    ("Running", (("Jobs", "/jobs", LOOK), ("Audit", "/audit", LOOK), ("Settings", "/settings", ADMINISTER), ("Users", "/users", ADMINISTER))),
)


def menu(may: Callable[[str], bool]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The menu of someone with these rights."""
    groups = [(title, [(name, path) for name, path, right in entries if may(right)]) for title, entries in MENU]
    return [(title, entries) for title, entries in groups if entries]
