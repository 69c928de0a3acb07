"""The running service as a process of its own: ready, single, stopped cleanly, asked from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.daemon import lock
from gateway.simulator.world import open_known_return
from tests.stage import Stage, make_workspace

NOWHERE = "http://127.0.0.1:9"
KEYS = {
    "GATEWAY_LOOP_BASE_URL": NOWHERE,
    "GATEWAY_LOOP_API_KEY": "k",
    "GATEWAY_SHOPIFY_BASE_URL": NOWHERE,
    "GATEWAY_SHOPIFY_TOKEN": "t",
}


def until(true: object, *, seconds: float = 60.0) -> float:
    """Wait for a condition; the seconds it took."""
    pause, started = threading.Event(), time.monotonic()
    while not true():  # type: ignore[operator]
        assert time.monotonic() - started < seconds, "it did not happen in time"
        pause.wait(0.05)
    return time.monotonic() - started


@contextmanager
def running(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """`gateway run` on a workspace."""
    with (folder / "run.log").open("wb") as log:
        command = [sys.executable, "-m", "gateway", "run", "--config", str(folder)]
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def gateway(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None, without_config: bool = False
) -> subprocess.CompletedProcess[str]:
    """Any command, to its end."""
    command = [sys.executable, "-m", "gateway", *arguments, *([] if without_config else ["--config", str(folder)])]
    return subprocess.run(command, env={**os.environ, **KEYS, **(environment or {})}, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace whose services cannot be reached."""
    make_workspace(tmp_path)
    return tmp_path


def test_it_is_ready_in_five_seconds_of_work_without_network_and_stops_with_0(workspace: Path) -> None:
    with running(workspace, KEYS) as process:
        until(lambda: lock.is_running(workspace / "var"))
        if Path("/proc/self/stat").exists():  # its own work, whatever else this machine does
            ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            assert (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK") < 5
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not lock.is_running(workspace / "var")


def test_it_refuses_a_second_instance_with_3_and_names_the_holder(workspace: Path) -> None:
    with running(workspace, KEYS) as process:
        until(lambda: lock.is_running(workspace / "var"))
        for command in ("run", "run-once"):
            second = gateway(workspace, command)
            assert second.returncode == 3
            assert f"process {process.pid}" in second.stderr


def test_it_takes_over_the_lock_of_a_killed_instance(workspace: Path) -> None:
    with running(workspace, KEYS) as process:
        until(lambda: lock.is_running(workspace / "var"))
        process.kill()
        process.wait()
    with running(workspace, KEYS) as process:
        until(lambda: lock.is_running(workspace / "var"))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_it_answers_status_running_or_not_in_the_documented_shape(workspace: Path) -> None:
    found = json.loads(gateway(workspace, "status", "--json").stdout)
    assert (found["ready"], set(found)) == (False, {"ready", "idle", "counts", "problems", "parts"})
    with running(workspace, KEYS):
        until(lambda: lock.is_running(workspace / "var"))
        assert json.loads(gateway(workspace, "status", "--json").stdout)["ready"] is True


def test_it_carries_a_file_dropped_while_running_and_finishes_what_is_in_hand(tmp_path: Path) -> None:
    with Stage(tmp_path / "w") as stage:
        stage.ctx.engine.dispose()
        open_known_return(stage.world, 77000001)
        settings = stage.folder / "gateway.toml"
        settings.write_text(settings.read_text() + "import_returns = 0.5\nscan = 0.5\n")
        with running(stage.folder, stage.environment) as process:
            until(lambda: stage.outbox("ATLAS") if (stage.folder / "outbox/ATLAS").is_dir() else [])
            stage.atlas.step()
            until(lambda: stage.calls("process", 77000001))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        exported = json.loads(gateway(stage.folder, "export", "--json", environment=stage.environment).stdout)
        assert exported["schema"] == "gateway-export-1"
        assert [(ra["ra"], ra["decision"]) for ra in exported["ras"]] == [("RA77000001", "process")]
        assert stage.calls("process", 77000001) == 1


def test_run_once_ends_with_2_and_says_why_when_a_service_cannot_be_reached(workspace: Path) -> None:
    done = gateway(workspace, "run-once", "--json")
    assert done.returncode == 2
    reasons = [reason for run in json.loads(done.stdout) for reason in run["reasons"]]
    assert "Loop could not be reached" in reasons
    assert "Shopify could not be reached" in reasons


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('code = "HP"', 'code = "HP', "gateway.toml: not valid TOML"),
        ('short = "flag"', 'short = "maybe"', "gateway.toml, line "),
        ('second_quality = "NJ1-SQ"', 'second_quality = "NJ9"', "second_quality 'NJ9' is not a listed warehouse"),
        ('partner = "PACIFIC"', 'partner = "ATLANTIC"', "warehouse LA1 names partner ATLANTIC"),
        (
            'ra_pattern = "RA{rma}"',
            'ra_pattern = "RETURN-AUTHORS-{rma}"',
            "merchant.ra_pattern 'RETURN-AUTHORS-{rma}' makes RA numbers of 23 characters",
        ),
        ('time_zone = "America/New_York"', 'time_zone = "New York"', "is no time zone"),
        ('base_url = "https://api.loopreturns.com"', 'colour = "red"', "loop.colour"),
    ],
)
def test_it_names_file_place_and_remedy_of_a_broken_setting(workspace: Path, old: str, new: str, told: str) -> None:
    settings = workspace / "gateway.toml"
    settings.write_text(settings.read_text().replace(old, new))
    for command in ("check-config", "run"):
        done = gateway(workspace, command)
        assert done.returncode == 1
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_it_asks_for_the_sense_of_damaged_quantities(workspace: Path) -> None:
    profile = workspace / "mappings" / "atlas.toml"
    profile.write_text(profile.read_text().replace('damaged_quantity = "included"', "#"))
    done = gateway(workspace, "check-config")
    assert done.returncode == 1
    assert "mappings/atlas.toml" in done.stderr
    assert '"included" when the received quantity' in done.stderr


def test_it_says_which_key_is_missing(workspace: Path) -> None:
    done = gateway(workspace, "run", environment={"GATEWAY_LOOP_API_KEY": ""})
    assert done.returncode == 1
    assert "Loop's API key (env:GATEWAY_LOOP_API_KEY)" in done.stderr


def test_it_tells_a_wrong_key_from_a_missing_scope(tmp_path: Path) -> None:
    with Stage(tmp_path / "w") as stage:
        right = gateway(stage.folder, "check-config", "--connect", environment=stage.environment)
        assert right.returncode == 0, right.stderr
        wrong = gateway(stage.folder, "check-config", "--connect", environment={**stage.environment, "GATEWAY_LOOP_API_KEY": "no"})
        assert wrong.returncode == 1
        assert "Loop answered 401" in wrong.stderr
        stage.simulator.loop_rules.keys["narrow"] = ("destinations:read",)
        narrow = gateway(stage.folder, "check-config", "--connect", environment={**stage.environment, "GATEWAY_LOOP_API_KEY": "narrow"})
        assert "lacks the scope Returns" in narrow.stderr
        stage.simulator.shopify_rules.tokens["poor"] = ("read_orders",)
        poor = gateway(stage.folder, "check-config", "--connect", environment={**stage.environment, "GATEWAY_SHOPIFY_TOKEN": "poor"})
        assert "the Shopify app lacks the scopes" in poor.stderr
        assert "write_inventory" in poor.stderr


def test_it_never_asks_when_not_on_a_terminal(tmp_path: Path) -> None:
    with Stage(tmp_path / "w") as stage:
        open_known_return(stage.world, 77000001)
        stage.import_rmas()
        done = gateway(stage.folder, "resend", "RA77000001", environment=stage.environment)
        assert done.returncode == 2
        assert "--yes" in done.stderr
        assert len(stage.outbox("ATLAS")) == 1
