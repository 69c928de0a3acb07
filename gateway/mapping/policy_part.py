"""`[policy]` in gateway.toml and in a partner's profile: what is done about what is not as announced (R-100)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.domain.policies import Action, Rule, Trouble


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RulePart(_Part):
    """An action and how far it reaches; may be written as the bare action."""

    action: Literal["flag", "process", "remove_and_process", "wait"] = "flag"
    up_to: Decimal | None = Field(default=None, ge=0)


def _bare(given: Any) -> Any:
    return {"action": given} if isinstance(given, str) else given


AnyRule = Annotated[RulePart, BeforeValidator(_bare)]


class PolicyPart(_Part):
    """One rule for each kind of trouble; what is not given follows the merchant's, and in the end flags."""

    currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")
    damaged: AnyRule | None = None
    short: AnyRule | None = None
    over: AnyRule | None = None
    unexpected: AnyRule | None = None
    late: AnyRule | None = None
    late_days: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _makes_sense(self) -> PolicyPart:
        for trouble in Trouble:
            rule = getattr(self, trouble.value)
            if rule and rule.action in ("remove_and_process", "wait") and trouble != Trouble.SHORT:
                raise ValueError(
                    f'{trouble.value} = "{rule.action}" makes no sense: only missing units can be removed or waited for; write "flag" or "process"'
                )
            if rule and rule.up_to is not None and not self.currency:
                raise ValueError(f'{trouble.value}.up_to needs a currency: add currency = "USD" (the shop\'s) to the same table')
        return self

    def rules(self) -> Mapping[Trouble, Rule]:
        """The rules that are given."""
        given = {trouble: getattr(self, trouble.value) for trouble in Trouble}
        return {trouble: Rule(action=Action(rule.action), up_to=rule.up_to, currency=self.currency) for trouble, rule in given.items() if rule}
