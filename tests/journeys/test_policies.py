"""R-100: what is done about what is not as announced, by merchant, by partner, up to a value; and what a decision keeps (R-099)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.steps import announce, come_back
from tests.stage import HOUR, Stage

MERCHANT = '[policy]                            # what is done about what is not as announced; see docs/settings.md\nshort = "flag"'


def policy(text: str) -> tuple[str, str, str]:
    """The merchant's rules."""
    return "gateway.toml", MERCHANT, f'[policy]\ncurrency = "USD"\n{text}\n#'


def partner_policy(text: str) -> tuple[str, str, str]:
    """ATLAS's rules, which stand over the merchant's."""
    return "mappings/atlas.toml", "[folders]", f'[policy]\ncurrency = "USD"\n{text}\n\n[folders]'


SHORT = (("TEE-BLK-M", 1), ("HOOD-GRY-M", 1))  # 77000003 without its cap, worth 27.00


@pytest.mark.parametrize(
    ("edits", "calls"),
    [
        ((policy('short = { action = "process", up_to = 27.00 }'),), (1, 0, 0)),
        ((policy('short = { action = "process", up_to = 26.99 }'),), (0, 1, 0)),
        ((policy('short = "flag"'), partner_policy('short = { action = "process", up_to = 30.00 }')), (1, 0, 0)),
        ((policy('short = "remove_and_process"'), partner_policy('short = "flag"')), (0, 1, 0)),
        ((policy('short = "remove_and_process"'),), (0, 0, 1)),
    ],
    ids=["within", "beyond", "partner-over-merchant", "partner-flags", "remove"],
)
def test_a_short_receipt_is_handled_by_the_rule_that_reaches_it(
    make_stage: Callable[..., Stage], edits: tuple[Any, ...], calls: tuple[int, int, int]
) -> None:
    stage = make_stage(edits=edits)
    announce(stage, 77000003)
    come_back(stage, 77000003, *SHORT)
    assert (stage.calls("process"), stage.calls("flag"), stage.calls("remove")) == calls


def test_a_final_short_receipt_is_waited_for_until_the_wait_is_over(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=(policy('short = "wait"'),))
    announce(stage, 77000003)
    come_back(stage, 77000003, *SHORT)
    stage.wait(71 * HOUR)
    stage.job("Upkeep")
    assert stage.calls("flag") == 0
    stage.wait(2 * HOUR)
    stage.job("Upkeep")
    assert stage.calls("flag", 77000003) == 1


def test_a_unit_too_many_may_be_processed_and_is_nobodys(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=(policy('over = "process"'),))
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 2))
    stage.loop_finishes()
    stage.import_refunds()
    assert (stage.calls("process"), stage.calls("flag")) == (1, 0)
    assert (stage.stock("NJ1", "HOOD-GRY-M"), stage.invoices()["6100004"]["total"]) == (11, "75.60")
    (task,) = stage.tasks("owner unknown")
    assert "1 x HOOD-GRY-M" in task["text"]


def test_a_late_parcel_is_flagged_only_where_a_policy_says_when_it_is_late(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=(policy("late_days = 30"),))
    announce(stage, 77000004)
    stage.wait(31 * 24 * HOUR)
    day = stage.ctx.now().date()
    stage.receive("RA77000004", [("HOOD-GRY-M", 1)], receipt_no="WR1", final=True, received_on=day)
    assert stage.calls("flag", 77000004) == 1
    assert stage.story_of(77000004)["decision"]["reasons"] == ["LATE"]


def test_a_decision_keeps_its_rule_its_inputs_and_the_settings_it_was_made_under(stage: Stage) -> None:
    announce(stage, 77000003)
    come_back(stage, 77000003, *SHORT, number="WR1")
    decision = stage.story_of(77000003)["decision"]
    (given,) = decision["inputs"]
    assert (decision["rule"], decision["settings_version"]) == ("short → flag", stage.workspace.version)
    assert (given["ra"], given["version"], given["receipt"], given["units"], given["missing_value"]) == ("RA77000003", 1, "WR1", [2, 3], "27.00")
    assert given["file"].endswith(".edi")
    assert "TEE-BLK-M: 1 good, 0 second (segment" in given["lines"][0]
