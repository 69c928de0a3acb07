"""What a merchant wants done about what is not as announced: one rule for each kind of trouble, and other ones where a partner differs (requirements R-026, R-100).

The shipped rule for everything is to flag. A rule may process small things (`up_to` a value, in its currency), remove missing units and process the rest, or
wait for the rest even after a final mark. What no rule covers (an unknown item, another warehouse, an empty parcel) always goes to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class Trouble(StrEnum):
    """What may be wrong with what came."""

    DAMAGED = "damaged"
    SHORT = "short"
    OVER = "over"
    UNEXPECTED = "unexpected"
    LATE = "late"


class Action(StrEnum):
    """What is done about it."""

    FLAG = "flag"
    PROCESS = "process"
    REMOVE = "remove_and_process"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An action, and the value in `currency` up to which it is taken; above it, or in another currency, a person is asked."""

    action: Action = Action.FLAG
    up_to: Decimal | None = None
    currency: str = ""

    def covers(self, value: Decimal | None, currency: str) -> bool:
        """Whether the rule reaches as far as a value; an unknown value (None) is beyond every limit."""
        if self.up_to is None:
            return True
        return value is not None and currency == self.currency and value <= self.up_to


FLAG = Rule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The merchant's rules, and those of single partners that stand over them; `late_days` after its making an RA counts as late (0: never)."""

    merchant: Mapping[Trouble, Rule] = field(default_factory=dict)
    partners: Mapping[str, Mapping[Trouble, Rule]] = field(default_factory=dict)
    late_days: int = 0

    def of(self, trouble: Trouble, *, partner: str) -> Rule:
        """The rule for a kind of trouble at a partner."""
        return self.partners.get(partner, {}).get(trouble) or self.merchant.get(trouble, FLAG)
