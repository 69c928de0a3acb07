"""`gateway partner`: a newcomer from the first question to its samples, and a server tried and synced by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.cli.partner import PARTNER_COMMANDS
from tests.stage import Stage

ANSWERS = {
    "partner": "NEWCOMER",
    "name": "Newcomer Logistics",
    "format": "x12",
    "partner_id": "NEWCO",
    "our_id": "HARBORPINE",
    "damaged_quantity": "on_top",
}


def run(stage: Stage, *words: str) -> Result:
    """A command on the stage's workspace."""
    return CliRunner().invoke(
        cli, ["partner", *words, "--config", str(stage.folder)], env=stage.environment, catch_exceptions=False, standalone_mode=False
    )


def answers(stage: Stage, **changed: str | None) -> str:
    """A file of answers."""
    path = stage.folder / "answers.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in (ANSWERS | changed).items() if value is not None))
    return str(path)


@pytest.mark.parametrize("name", PARTNER_COMMANDS)
def test_every_sub_command_has_help_with_an_example_and_json(name: str) -> None:
    shown = CliRunner().invoke(cli, ["partner", name, "--help"])
    assert (shown.exit_code, f"gateway partner {name}" in shown.output, "--json" in shown.output) == (0, True, True)


def test_a_newcomer_is_set_up_from_answers_and_makes_its_samples(stage: Stage) -> None:
    made = json.loads(run(stage, "add", "--answers", answers(stage), "--json").output)
    assert made["written"] is True
    listed = json.loads(run(stage, "list", "--json").output)
    assert [(p["partner"], p["stage"]) for p in listed if p["partner"] == "NEWCOMER"] == [("NEWCOMER", "setup")]
    run(stage, "samples", "NEWCOMER", "--into", str(stage.folder / "samples"))
    assert len(list((stage.folder / "samples").iterdir())) == 8
    shown = json.loads(run(stage, "preview-mapping", "NEWCOMER", str(stage.folder / "samples" / "NEWCOMER_damaged.edi"), "--json").output)
    assert [(line["good"], line["second"]) for line in shown["result"][0]["lines"]] == [(1, 1), (1, 0)]
    assert run(stage, "stage", "NEWCOMER", "testing", "--yes").return_value == 0
    assert '\nstage = "testing"\n' in (stage.folder / "mappings" / "newcomer.toml").read_text()


def test_the_sense_of_damaged_quantities_has_no_default(stage: Stage) -> None:
    import click

    with pytest.raises(click.UsageError, match="damaged_quantity has no answer"):
        run(stage, "add", "--answers", answers(stage, damaged_quantity=None))
    assert not (stage.folder / "mappings" / "newcomer.toml").exists()


def test_what_is_there_is_not_set_up_again(stage: Stage) -> None:
    import click

    with pytest.raises(click.UsageError, match="set up already"):
        run(stage, "add", "--answers", answers(stage, partner="ATLAS"))


def test_the_checklist_is_open_until_it_is_shown_or_waived(stage: Stage) -> None:
    first = run(stage, "checklist", "ATLAS", "--json")
    assert (first.return_value, len(json.loads(first.output))) == (2, 10)
    run(stage, "waive", "ATLAS", "cancel", "--reason", "they take none")
    waived = json.loads(run(stage, "checklist", "ATLAS", "--json").output)
    assert [c["case"] for c in waived if c["done"]] == ["cancel"]


def test_unused_input_and_unfilled_output_are_listed(stage: Stage, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text("receipt,ra,sku,qty,condition,colour\nWR1,RA77000001,TEE-BLK-M,2,GOOD,blue\n")
    shown = json.loads(run(stage, "preview-mapping", "PACIFIC", str(sample), "--json").output)
    assert shown["unused"] == ["column 'colour'"]
    assert set(shown["unfilled"]) >= {"line.second", "line.missing"}


def test_a_proposal_is_printed_as_part_of_a_profile(stage: Stage, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text("Auth,Style,Pcs,Cond\nRA77000001,TEE-BLK-M,2,GOOD\nRA77000001,HOOD-GRY-M,1,D\n")
    assert 'sku = ["Style"]' in run(stage, "propose", str(sample), "--toml").output
    codes = json.loads(run(stage, "propose", str(sample), "--json").output)["codes"]
    assert {c["code"]: c["verdict"] for c in codes} == {"GOOD": "plain word", "D": "needs confirmation"}
