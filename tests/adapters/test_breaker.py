"""The circuit breaker: a service that is away is left alone, asked again by one call, and people are told (issue: Daemon)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from gateway.clients.breaker import Breaker
from gateway.clients.loop import Loop
from gateway.clients.session import Kind, Pacer, Session
from gateway.domain.lifecycle import RaState
from gateway.errors import TemporaryError
from gateway.jobs import reaching
from gateway.simulator.clock import SimClock
from gateway.simulator.server import Simulator
from gateway.simulator.world import World, harbor_and_pine, open_known_return
from gateway.store.effects import EffectState
from tests.adapters.test_clients import Watch
from tests.stage import Stage

OUTAGE = {"service": "loop", "status": 503, "times": None}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """The services."""
    with Simulator(harbor_and_pine(World(SimClock()))) as running:
        yield running


@pytest.fixture
def watch() -> Watch:
    """The clock of the breaker."""
    return Watch()


@pytest.fixture
def loop(simulator: Simulator, watch: Watch) -> Loop:
    """A client that leaves Loop alone after three failures, for 30 s, then 60, at most 100."""
    breaker = Breaker(3, 30.0, 100.0, watch.now)
    pacer = Pacer(1000, 60.0, watch.now, watch.sleep)
    return Loop(Session("Loop", simulator.loop_url, {"X-Authorization": simulator.loop_key}, pacer, 5.0, 5.0, breaker))


def ask(loop: Loop, times: int = 1) -> None:
    """Calls that fail."""
    for _ in range(times):
        with pytest.raises(TemporaryError):
            loop.list_destinations()


def test_it_leaves_a_host_alone_that_does_not_answer(loop: Loop, simulator: Simulator) -> None:
    simulator.faults.add("status", **OUTAGE)
    ask(loop, 5)
    assert len(simulator.calls.all("destinations")) == 3
    with pytest.raises(TemporaryError, match="was not called") as refused:
        loop.list_destinations()
    assert refused.value.delay == 30.0


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "drop_after_effect"}, {"kind": "status", "status": 500}])
def test_it_counts_silence_and_5xx(loop: Loop, simulator: Simulator, fault: dict[str, object]) -> None:
    simulator.faults.add(service="loop", times=None, **fault)  # type: ignore[arg-type]
    ask(loop, 3)
    assert loop.session.breaker.open is True  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [429, 404])
def test_it_takes_any_other_answer_for_a_sign_of_life(loop: Loop, simulator: Simulator, status: int) -> None:
    simulator.faults.add("status", service="loop", times=2, status=503)
    simulator.faults.add("status", service="loop", times=1, after=2, status=status, retry_after="0")
    simulator.faults.add("status", service="loop", times=2, after=3, status=503)
    for _ in range(5):
        loop.session.send("GET", "/destinations")
    assert loop.session.breaker.open is False  # type: ignore[union-attr]


def test_it_sends_nothing_of_a_write_while_it_is_open_and_is_sure_of_that(loop: Loop, simulator: Simulator) -> None:
    open_known_return(simulator.world, 77000001)
    simulator.faults.add("status", **OUTAGE)
    ask(loop, 3)
    assert loop.process_return("77000001", {"RA": "RA77000001"}).kind == Kind.NOT_DONE
    assert simulator.calls.all("process") == []


def test_it_is_closed_by_one_probe_and_its_pauses_grow_to_a_longest(loop: Loop, simulator: Simulator, watch: Watch) -> None:
    simulator.faults.add("status", **{**OUTAGE, "times": 6})
    ask(loop, 3)
    for pause in (30.0, 60.0, 100.0):
        watch.at += pause - 1
        ask(loop, 2)  # refused
        watch.at += 1
        ask(loop, 2)  # a probe that fails, and a refusal
    assert len(simulator.calls.all("destinations")) == 6
    watch.at += 100
    loop.list_destinations()
    loop.list_destinations()
    assert len(simulator.calls.all("destinations")) == 8


def test_it_lets_only_one_of_many_try(watch: Watch) -> None:
    breaker = Breaker(1, 30.0, 60.0, watch.now)
    breaker.heard(alive=False)
    watch.at += 30
    assert breaker.rest() == 0
    others: list[float] = []
    threads = [threading.Thread(target=lambda: others.append(breaker.rest())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert others == [30.0] * 4
    breaker.heard(alive=None)  # not made after all: the next one may try
    assert breaker.rest() == 0


def test_it_never_opens_when_it_is_switched_off(loop: Loop, simulator: Simulator) -> None:
    loop.session.breaker.failures = 0  # type: ignore[union-attr]
    simulator.faults.add("status", **OUTAGE)
    ask(loop, 12)
    assert len(simulator.calls.all("destinations")) == 12


def test_it_tells_people_and_the_work_goes_on_by_itself(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    stage.simulator.faults.add("status", **OUTAGE)
    for _ in range(8):
        stage.import_rmas()
    reaching.tell(stage.ctx)
    assert reaching.AWAY in [alert["kind"] for alert in stage.alerts()]
    assert stage.calls("list") == 5
    stage.simulator.faults.clear()
    stage.wait(31)
    stage.import_rmas()
    reaching.tell(stage.ctx)
    assert reaching.AWAY not in [alert["kind"] for alert in stage.alerts()]
    assert stage.ra("RA77000001").state == RaState.SENT
    assert {effect.state for effect in stage.effects(77000001)} == {EffectState.CONFIRMED}
