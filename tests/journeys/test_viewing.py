"""What people see of a file: `gateway view` and `gateway preview`, beside a gateway that may be running, and for a file alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import cli
from gateway.simulator.partner import make_944
from gateway.simulator.world import open_known_return
from tests.stage import Stage


def ask(*arguments: str, folder: Path | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> Result:
    if monkeypatch is not None and folder is not None:
        monkeypatch.chdir(folder)
        monkeypatch.delenv("GATEWAY_WORKSPACE", raising=False)
    return CliRunner().invoke(cli, list(arguments), standalone_mode=False)


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    path = tmp_path / "receipt.edi"
    path.write_bytes(make_944("RA77000003", [("TEE-BLK-M", 1), ("HOOD-GRY-M", 1)], receipt_no="WR5503", final=True))
    return path


def test_it_shows_a_file_with_names_and_meanings(receipt: Path) -> None:
    shown = ask("view", str(receipt))
    assert "Warehouse Receipt Number" in shown.output and "WR5503" in shown.output and shown.return_value == 0
    assert ask("view", str(receipt), "--raw").output.startswith("ISA*")
    assert "- 1 EA of TEE-BLK-M" in ask("view", str(receipt), "--document").output


def test_it_shows_the_same_as_data(receipt: Path) -> None:
    told = json.loads(ask("view", str(receipt), "--json").output)
    (number,) = [e for block in told["blocks"] for e in block["elements"] if e["ref"] == "W17-03"]
    assert (number["value"], number["name"]) == ("WR5503", "Warehouse Receipt Number")
    assert json.loads(ask("view", str(receipt), "--document", "--json").output)["documents"][0]["facts"]["receipt"] == "WR5503"
    assert json.loads(ask("view", str(receipt), "--raw", "--json").output)["raw"][0].startswith("ISA*")


@pytest.mark.parametrize("way", [(), ("--document",), ("--json",), ("--document", "--json")])
def test_it_ends_with_2_when_the_file_has_an_error(receipt: Path, way: tuple[str, ...]) -> None:
    receipt.write_bytes(receipt.read_bytes().replace(b"SE*", b"SE*9"))
    shown = ask("view", str(receipt), *way)
    assert shown.return_value == 2 and "SE01 says" in shown.output


def test_it_shows_a_file_of_the_book_by_its_number(stage: Stage, receipt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_known_return(stage.world, 77000003)
    stage.import_rmas()
    (sent,) = [f for f in stage.files() if f.direction == "out"]
    shown = ask("view", str(sent.id), "--document", folder=stage.folder, monkeypatch=monkeypatch)
    assert "return: RA77000003" in shown.output
    stage.partners_answer()
    came = next(f for f in stage.files() if f.direction == "in" and "944" in f.name)
    assert "Warehouse receipt (944" in ask("view", str(came.id), "--document", folder=stage.folder, monkeypatch=monkeypatch).output
    assert "has no file 999" in str(ask("view", "999", folder=stage.folder, monkeypatch=monkeypatch).exception)
    assert "there is no file nowhere.edi" in str(ask("view", "nowhere.edi").exception)


def test_it_tells_what_a_file_would_cause_when_its_sender_is_known(stage: Stage, receipt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_known_return(stage.world, 77000003)
    stage.import_rmas()
    before = (stage.files(), stage.story(77000003))
    shown = ask("preview", str(receipt), folder=stage.folder, monkeypatch=monkeypatch)
    assert "its sender is ATLAS" in shown.output and "- 1 EA of TEE-BLK-M" in shown.output
    assert "receipt.edi: would be applied" in shown.output and "CAP-NVY-OS short 1 of 1" in shown.output
    told = json.loads(ask("preview", str(receipt), "--partner", "atlas", "--json", folder=stage.folder, monkeypatch=monkeypatch).output)
    assert (told["kind"], told["outcome"], told["documents"][0]["facts"]["return"]) == ("x12", "applied", "RA77000003")
    assert (stage.files(), stage.story(77000003)) == before


def test_it_says_what_a_file_is_without_a_workspace(receipt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = ask("preview", str(receipt), folder=tmp_path, monkeypatch=monkeypatch)
    assert "is an X12 file" in shown.output and "not known without a workspace" in shown.output and "WR5503" in shown.output
    assert "Make a workspace" in str(ask("preview", str(receipt), "--partner", "ATLAS", folder=tmp_path, monkeypatch=monkeypatch).exception)


def test_it_says_when_no_partner_has_the_senders_identifier(stage: Stage, receipt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt.write_bytes(receipt.read_bytes().replace(b"ATLAS3PL ", b"NOBODY   "))
    shown = ask("preview", str(receipt), folder=stage.folder, monkeypatch=monkeypatch)
    assert "add --partner (ATLAS, PACIFIC)" in shown.output and shown.return_value == 0
