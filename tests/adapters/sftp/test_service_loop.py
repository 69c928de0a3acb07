"""The service's threads for partners with servers: a rhythm of their own, one alert, growing pauses, and a kill at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from gateway.clients import sftp
from gateway.daemon import running, syncing
from gateway.jobs import sync
from gateway.simulator.world import open_known_return
from tests.adapters.sftp.conftest import Exchange, names
from tests.adapters.sftp.server import Server, Wire
from tests.journeys.steps import the_944

VICTIM = """
import sys
from gateway import bootstrap, config
from gateway.jobs.carrying import Sync
from gateway.jobs.sync import sync_partner

workspace = config.load(sys.argv[1])
ctx = bootstrap.make_context(workspace, bootstrap.open_book(workspace))
ctx.folders["ATLAS"].make()
bootstrap.take_back(workspace, ctx)
print("ready", flush=True)
state = Sync(ctx=ctx, partner="ATLAS", owner=bootstrap.owner_name(workspace))
sync_partner(state)
state.close()
"""


def test_trouble_with_a_server_is_one_alert_that_resolves_by_itself(exchange: Exchange) -> None:
    ctx = exchange.stage.ctx
    exchange.server.stop()
    for _ in range(3):
        sync.tell(ctx, "ATLAS", syncing.one_pass(exchange.sync))
    (alert,) = exchange.stage.alerts()
    assert (alert["kind"], alert["subject"], alert["times"], "cannot be reached" in alert["text"]) == ("server trouble", "ATLAS", 1, True)
    exchange.server.start()
    sync.tell(ctx, "ATLAS", syncing.one_pass(exchange.sync))
    assert exchange.stage.alerts() == []


def test_a_changed_host_key_is_an_alert(exchange: Exchange) -> None:
    exchange.server.new_host_key()
    sync.tell(exchange.stage.ctx, "ATLAS", syncing.one_pass(exchange.sync))
    assert ["another host key" in a["text"] for a in exchange.stage.alerts()] == [True]


def test_a_full_disk_on_the_server_is_told_and_the_file_goes_when_there_is_room(exchange: Exchange) -> None:
    (exchange.outbox / "a.edi").write_bytes(b"x" * 200_000)
    pid = str(exchange.server.process.pid)  # type: ignore[union-attr]  # it runs
    subprocess.run(["prlimit", "--pid", pid, "--fsize=100000:unlimited"], check=True)
    try:
        tally = exchange.pass_()
        assert (tally.failed, tally.done) == (1, 0)
    except sftp.ServerTroubleError as fault:
        assert "connection broke" in fault.message  # the server's process is killed by its limit
    assert [name for name in names(exchange.to_them) if not name.startswith(".")] == []
    assert names(exchange.outbox) == ["a.edi"]
    exchange.sync.close()
    subprocess.run(["prlimit", "--pid", pid, "--fsize=unlimited:unlimited"], check=True)
    assert exchange.pass_().done == 1
    assert (exchange.to_them / "a.edi").stat().st_size == 200_000


def test_our_own_full_disk_pauses_the_partner_and_loses_nothing(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    (exchange.to_us / "a.edi").write_bytes(b"content")
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in syncing.one_pass(exchange.sync)
    monkeypatch.setattr(os, "fsync", real)
    assert names(exchange.to_us) == ["a.edi"]
    assert syncing.one_pass(exchange.sync) == ""
    assert ((exchange.inbox / "a.edi").read_bytes(), names(exchange.to_us)) == (b"content", [])


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.3, 0.6])
def test_killed_at_any_moment_each_file_is_carried_once(exchange: Exchange, after: float) -> None:
    for number in range(40):
        (exchange.outbox / f"out{number}.edi").write_bytes(b"ours %d" % number)
        (exchange.to_us / f"in{number}.edi").write_bytes(b"theirs %d" % number)
    environment = exchange.stage.environment | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    for _ in range(3):
        victim = subprocess.Popen([sys.executable, "-c", VICTIM, str(exchange.stage.folder)], env=environment, stdout=subprocess.PIPE)
        assert victim.stdout is not None
        victim.stdout.readline()
        threading.Event().wait(after)
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
        victim.stdout.close()
    done = subprocess.run([sys.executable, "-c", VICTIM, str(exchange.stage.folder)], env=environment, check=True, capture_output=True, timeout=120)
    assert done.stdout == b"ready\n"
    assert sorted(names(exchange.to_them)) == sorted(f"out{number}.edi" for number in range(40))
    assert sorted(names(exchange.inbox)) == sorted(f"in{number}.edi" for number in range(40))
    assert [(exchange.inbox / f"in{n}.edi").read_bytes() for n in range(40)] == [b"theirs %d" % n for n in range(40)]
    assert (names(exchange.outbox), names(exchange.to_us)) == ([], [])


def test_a_slow_server_of_one_partner_keeps_no_other_waiting(
    server: Server, make_exchange: Callable[..., Exchange], make_wire: Callable[..., Wire]
) -> None:
    exchange = make_exchange(server, wire=make_wire(server, delay=0.2))
    (exchange.to_us / "a.edi").write_bytes(b"content")
    passing = threading.Thread(target=syncing.one_pass, args=(exchange.sync,))
    passing.start()
    started = time.monotonic()
    exchange.stage.drop("PACIFIC", "empty.csv", b"")
    assert exchange.stage.file("empty.csv").outcome == "error"
    assert passing.is_alive(), time.monotonic() - started
    passing.join()
    assert names(exchange.inbox) == ["a.edi"]


def test_one_pass_for_schedulers_brings_reads_answers_and_sends(exchange: Exchange) -> None:
    stage = exchange.stage
    open_known_return(stage.world, 77000001)
    running.run_once(stage.ctx, owner="once", stopping=threading.Event())
    assert len(names(exchange.to_them)) == 1
    assert stage.ra("RA77000001").state.value == "sent"
    (exchange.to_us / "r.edi").write_bytes(the_944())
    running.run_once(stage.ctx, owner="once", stopping=threading.Event())
    assert stage.lines("RA77000001")["TEE-BLK-M"] == (2, 2, 0, 0)
    assert len(names(exchange.to_them)) == 2  # the 997 has gone, too
