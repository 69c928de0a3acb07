"""Effects that share their commits, killed at every kind of place among them: each is done once all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.drill.victim import Order
from tests.faults.test_killed import theatre

RMAS = range(78000000, 78000008)
PLACES = int(os.environ.get("GATEWAY_TEST_KILLS", "50")) // 6


@pytest.mark.parametrize("place", range(PLACES))
def test_it_notes_each_return_once_wherever_it_is_killed(tmp_path: Path, place: int) -> None:
    with theatre(tmp_path) as (stage, victims):
        for number, rma in enumerate(RMAS):
            stage.world.add_order(5100000000 + number, f"#{20000 + number}", [("CAP-NVY-OS", 1)])
            stage.world.open_return(rma, f"#{20000 + number}", [(9000000 + number, "CAP-NVY-OS")], 501)
        environment = {**os.environ, **stage.environment}
        died = [victims.run(Order(die_at=at), environment)["died"] for at in (25 + 53 * place, 10 + 29 * place)]
        for _ in range(3):
            stage.clock.advance(30)
            assert not victims.run(Order(), environment).get("error")
        stage.open_gateway()
        assert died[0]
        assert [len(stage.notes(rma)) for rma in RMAS] == [1] * len(RMAS)
        assert {effect.state for rma in RMAS for effect in stage.effects(rma)} == {"confirmed"}
