"""The command line as people use it: what it takes to do each task, many things at once, and no question where nobody can answer."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import look
from gateway.cli.completion import PLACES
from gateway.cli.main import COMMANDS, cli
from gateway.jobs import trials
from gateway.views import records
from tests.journeys.steps import announce, come_back, process_in_full
from tests.stage import Stage


def command(stage: Stage, *arguments: str) -> Any:
    """A command in the stage's workspace."""
    return CliRunner().invoke(cli, [*arguments, "--config", str(stage.folder)], env=stage.environment, standalone_mode=False)


def asked(stage: Stage, *arguments: str) -> Any:
    """What a command says as JSON."""
    done = command(stage, *arguments, "--json")
    assert done.exception is None, done.exception
    return json.loads(done.stdout)


def damaged(stage: Stage) -> None:
    """A-020 up to the decision."""
    announce(stage, 77000004)
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))


POLICY = ("gateway.toml", "[policy]", '[policy]\ncurrency = "USD"\ndamaged = { action = "process", up_to = "{up_to}" }')


def change_policy(stage: Stage, up_to: str) -> None:
    """Damaged goods up to a value are processed without a person."""
    name, old, new = POLICY
    stage.reopen((name, old, new.replace("{up_to}", up_to)))


def test_a110_a_dry_replay_of_what_was_applied_has_no_new_effects_in_one_command(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    receipt = next(f for f in stage.files() if "944" in f.name)
    before = (stage.files(), stage.story(77000001))
    shown = command(stage, "replay", str(receipt.id), "--dry-run").output
    assert "0 new effects: all already applied" in shown
    assert (stage.files(), stage.story(77000001)) == before


def test_a110_after_a_change_of_the_policy_a_dry_run_lists_exactly_the_decisions_that_would_differ(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    damaged(stage)
    announce(stage, 77000003)
    come_back(stage, 77000003, ("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0))
    since = f"{stage.ctx.now():%Y-%m-%d}"
    unchanged = asked(stage, "replay", "--from", since, "--dry-run")
    assert unchanged["decisions"]["would_differ"] == []
    assert unchanged["new_effects"] == 0
    change_policy(stage, "100.00")
    told = asked(stage, "replay", "--from", since, "--dry-run")["decisions"]
    assert told["read"] == 3
    assert [(one["rma"], one["was"].split()[0], one["would_be"].split()[0]) for one in told["would_differ"]] == [("77000004", "flag", "process")]
    assert told["said"] == "Of 3 decision(s) 1 would differ, worth 75.60 USD: 1 fewer review(s)."
    stage.worker.drain()
    assert stage.calls("process", 77000004) == 0


def test_a_rule_that_reaches_less_far_changes_nothing(stage: Stage) -> None:
    damaged(stage)
    change_policy(stage, "20.00")
    found = trials.try_rules(stage.ctx, start=None, end=None)
    assert (found.read, found.differences, found.sentence) == (1, (), "Of 1 decision(s) none would differ.")
    change_policy_again = ("gateway.toml", 'up_to = "20.00"', 'up_to = "80.00"')
    stage.reopen(change_policy_again)
    (one,) = trials.try_rules(stage.ctx, start=None, end=None).differences
    assert (one.value, one.fewer_reviews) == (Decimal("75.60"), 1)


def test_many_are_found_counted_and_done_one_by_one(stage: Stage) -> None:
    for rma in (77000001, 77000003, 77000004):
        announce(stage, rma)
    shown = asked(stage, "hold", "--state", "sent", "--reason", "stocktaking", "--dry-run")
    assert (shown["count"], shown["items"]) == (3, ["RA77000001", "RA77000003", "RA77000004"])
    refused = command(stage, "hold", "--state", "sent", "--reason", "stocktaking")
    assert "--yes" in str(refused.exception)
    done = asked(stage, "hold", "RA77000001", "RA77000003", "RA-NONE", "--reason", "stocktaking", "--yes")
    assert [(item["subject"], item["ok"]) for item in done["items"]] == [("RA77000001", True), ("RA77000003", True), ("RA-NONE", False)]
    assert "is not in the book" in done["items"][2]["said"]
    assert asked(stage, "release", "--find", "#1003", "--yes")["items"][0]["subject"] == "RA77000003"
    assert command(stage, "hold", "--find", "nothing like it", "--reason", "x").return_value == 1
    assert "no state of an RA" in str(command(stage, "hold", "--state", "lost", "--reason", "x").exception)


def test_every_failed_step_is_tried_again_by_one_command(stage: Stage) -> None:
    announce(stage, 77000001)
    body = {"errors": {"message": "Return is open and therefore cannot be processed.", "code": "UNPROCESSABLE_FLAGGED_RETURN"}}
    stage.simulator.faults.add("error_body", service="loop", match="process", body=body)
    come_back(stage, 77000001)
    stage.wait(3600)
    (task,) = stage.tasks("process refused")
    effect = next(e for e in stage.effects(77000001) if e.kind == "loop.process")
    assert asked(stage, "retry", str(effect.id), "--yes")["items"][0]["ok"]
    assert task["subject"] == "77000001"
    assert command(stage, "retry", "--kind", "failed step", "--yes").return_value == 1


def test_all_files_of_an_ra_are_handled_again_without_a_second_effect(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    told = asked(stage, "replay", "--ra", "RA77000001", "--yes")
    assert told["count"] == 1
    stage.worker.drain()
    assert stage.calls("process", 77000001) == 1


# effort targets (requirements section 13): what the command line needs for each, counted


def test_effort_a_return_is_found_by_any_identifier_with_one_input(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    for text in ("77000001", "RA77000001", "#1001", "5000001001", "WR5501"):
        assert command(stage, "find", text).return_value == 0
    assert "it was processed" in command(stage, "explain", "WR5501").output.lower()


def test_effort_one_command_says_whether_all_is_well(stage: Stage) -> None:
    assert command(stage, "status").return_value == 0
    stage.drop("ATLAS", "broken.edi", b"ISA*rubbish~")
    done = command(stage, "status")
    assert done.return_value == 2
    assert "broken.edi" in done.output


def test_what_can_be_exported_is_what_there_is() -> None:
    assert tuple(records.KINDS) == look.EXPORTED, "named twice, so that commands that only look do not wait for what export imports"


def test_looking_something_up_imports_nothing_it_does_not_use(stage: Stage) -> None:
    code = "import sys; from gateway.cli.main import cli; cli(sys.argv[1:], standalone_mode=False); print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, "find", "x", "--config", str(stage.folder)], capture_output=True, text=True, check=True)
    heavy = {"pandas", "jinja2", "requests", "cryptography", "flask", "pydantic", "alembic", "sqlalchemy.dialects.postgresql", "gateway.views"}
    assert heavy & set(done.stderr.split()) == set()


def test_effort_one_command_shows_everything_about_a_file(stage: Stage) -> None:
    announce(stage, 77000001)
    file = stage.receive("RA77000001", [("TEE-BLK-M", 1)], receipt_no="WR1")
    for name in (file.name, str(file.id), file.sha256):
        shown = command(stage, "trace", name).output
        assert all(word in shown for word in (file.name, "applied", "WR1", "RA77000001"))


def test_effort_one_report_ties_out_a_month_and_one_list_each_shows_what_does_not_meet(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    assert asked(stage, "report", "received-not-credited")["rows"][0] == {
        "rma": "77000001", "sku": "HOOD-GRY-M", "received": 1, "credited": 0, "units": 1, "state": "processed", "partner": "ATLAS",
        "order": "#1001", "value": "75.60", "currency": "USD",
        "since": asked(stage, "report", "received-not-credited")["rows"][0]["since"],
    }  # fmt: skip
    stage.import_refunds()
    for name in ("received-not-credited", "credited-not-received", "open-ar"):
        assert asked(stage, "report", name)["rows"] == []
    assert "differences: none" in asked(stage, "report", "month-end")["notes"]


def on_a_terminal(stage: Stage, *arguments: str, answer: bytes = b"y\n") -> tuple[int, str]:
    """A command in a terminal of its own where somebody answers each question; exit code and what stood on the screen."""
    ours, theirs = pty.openpty()
    environment = stage.environment | {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "TERM": "dumb", "HOME": str(stage.folder)}
    line = [sys.executable, "-m", "gateway", *arguments, "--config", str(stage.folder)]
    process = subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        if b"[y/N]" in part:
            os.write(ours, answer)
    os.close(ours)
    return process.wait(60), shown.decode()


def test_effort_yesterdays_documents_of_a_partner_go_again_with_one_command_and_one_confirmation(stage: Stage) -> None:
    announce(stage, 77000001)
    announce(stage, 77000003)
    code, shown = on_a_terminal(stage, "resend", "--partner", "ATLAS", "--since", "yesterday")
    assert (code, shown.count("[y/N]")) == (0, 1)
    assert "Send 2 file(s) again" in shown
    assert len(stage.outbox("ATLAS")) == 4


def test_a_no_changes_nothing(stage: Stage) -> None:
    announce(stage, 77000001)
    code, shown = on_a_terminal(stage, "close", "RA77000001", "--reason", "lost", answer=b"n\n")
    assert (code, shown.count("[y/N]")) == (130, 1)
    assert stage.ra("RA77000001").state.value == "sent"


ASKING = (("resend", "RA77000001"), ("close", "RA77000001", "--reason", "x"), ("release", "RA77000001"), ("retry", "1"), ("replay", "1"))


@pytest.mark.parametrize("arguments", ASKING, ids=lambda a: a[0])
def test_it_asks_nothing_where_nobody_can_answer(stage: Stage, arguments: tuple[str, ...]) -> None:
    announce(stage, 77000001)
    done = command(stage, *arguments)
    assert "--yes" in str(done.exception)


@pytest.mark.parametrize("shell", PLACES)
def test_each_shell_has_a_completion_script(shell: str) -> None:
    shown = CliRunner().invoke(cli, ["completion", shell]).output
    assert "_GATEWAY_COMPLETE" in shown


def test_completion_knows_commands_options_and_names() -> None:
    def complete(words: str, place: int) -> str:
        environment = os.environ | {"_GATEWAY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(place)}
        run = [sys.executable, "-c", "import sys; sys.argv = ['gateway']; from gateway.cli import main; main()"]
        return subprocess.run(run, env=environment, capture_output=True, text=True, check=False, timeout=60).stdout

    assert {line.partition(",")[2] for line in complete("gateway ", 1).split()} == set(COMMANDS)
    assert "month-end" in complete("gateway report mo", 2)
    assert "--dry-run" in complete("gateway purge --d", 2)


def test_find_costs_little_more_than_what_it_imports(stage: Stage) -> None:
    """Measured in processor time against a bare interpreter that imports what is needed, since machines differ: it may cost three times as much."""
    process_in_full(stage, 77000001)
    environment = {**os.environ, **stage.environment}

    def cost(*line: str) -> float:
        before = os.times()
        done = subprocess.run([sys.executable, *line], env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    floor = min(cost("-c", "import click, sqlalchemy, sqlalchemy.dialects.sqlite") for _ in range(3))
    found = min(cost("-m", "gateway", "find", "77000001", "--config", str(stage.folder)) for _ in range(3))
    assert found < 3 * floor
