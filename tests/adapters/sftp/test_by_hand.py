"""A partner's server tried and synced by a person."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.adapters.sftp.conftest import Exchange, names
from tests.adapters.sftp.server import Server
from tests.journeys.steps import the_944
from tests.journeys.test_partner_commands import run


def test_a_connection_is_tried_step_by_step_and_shows_the_key_to_pin(server: Server, make_exchange: Callable[..., Exchange]) -> None:
    exchange = make_exchange(server, pin="")
    tried = run(exchange.stage, "test-connection", "ATLAS", "--json")
    steps = json.loads(tried.output)["steps"]
    assert tried.return_value == 1
    assert f'host_key = "{exchange.server.pin}"' in steps[1]["said"]
    assert (steps[-1]["ok"], "none is pinned" in steps[-1]["said"]) == (False, True)


def test_a_connection_that_works_lists_its_folders(exchange: Exchange) -> None:
    tried = json.loads(run(exchange.stage, "test-connection", "ATLAS", "--json").output)
    assert tried["ok"] is True
    assert [step["step"] for step in tried["steps"]] == ["reached", "host key", "logged in", "folder", "folder"]


def test_a_sync_by_hand_carries_both_ways(exchange: Exchange) -> None:
    (exchange.to_us / "a.edi").write_bytes(the_944())
    (exchange.outbox / "b.edi").write_bytes(b"ours")
    done = run(exchange.stage, "sync", "ATLAS", "--json")
    assert (done.return_value, json.loads(done.output)["carried"]) == (0, 2)
    assert (names(exchange.inbox), names(exchange.to_them)) == (["a.edi"], ["b.edi"])
    assert json.loads(run(exchange.stage, "show", "ATLAS", "--json").output)["carried"] == {"in.done": 1, "out.done": 1}
