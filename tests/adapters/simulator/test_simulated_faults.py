"""Each fault does to the caller, and to the world, what its table says."""

import time

import pytest
import requests

from gateway.simulator.faults import Faults
from gateway.simulator.world import World


def state(world: World) -> tuple[bool, list[str]]:
    """Whether 77000001 is queued, and its notes."""
    ret = world.returns[77000001]
    return ret.processing is not None, [note.content for note in ret.notes]


def test_dropped_before_means_nothing_happened(returns: World, ask):
    ask.simulator.faults.add("drop_before", service="loop", match="process")
    with pytest.raises(requests.ConnectionError):
        ask.act(77000001, "process")
    assert state(returns) == (False, [])
    call = ask.simulator.calls.all("process")[0]
    assert (call.status, call.effect, call.accepted, call.fault) == (0, False, False, "drop_before")


def test_dropped_after_means_it_happened_and_nobody_was_told(returns: World, ask):
    ask.simulator.faults.add("drop_after_effect", service="loop", match="process")
    with pytest.raises(requests.ConnectionError):
        ask.act(77000001, "process")
    call = ask.simulator.calls.all("process")[0]
    assert (call.status, call.effect, call.accepted) == (0, True, True)
    returns.let_pass(1)
    assert returns.return_(77000001).state == "closed"


def test_503_three_times_then_success(returns: World, ask):
    ask.simulator.faults.add("status", service="loop", match="process", status=503, times=3)
    answers = [ask.act(77000001, "process").status_code for _ in range(4)]
    assert answers == [503, 503, 503, 200]
    assert (ask.simulator.calls.count("process"), ask.simulator.calls.count("process", accepted=True)) == (4, 1)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_status_may_come_with_or_without_the_effect(returns: World, ask, status: int):
    ask.simulator.faults.add("status", match="note", status=status, effect=True)
    answer = ask.act(77000001, "note", json={"content": "hello"})
    assert (answer.status_code, state(returns)[1]) == (status, ["hello"])
    assert "Retry-After" not in answer.headers


def test_429_may_say_how_long_to_wait(ask):
    ask.simulator.faults.add("status", match="list", status=429, retry_after=7)
    assert ask.list().headers["Retry-After"] == "7"


def test_an_html_page_instead_of_json(ask):
    ask.simulator.faults.add("html", match="list")
    answer = ask.list()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    with pytest.raises(ValueError):
        answer.json()


def test_json_cut_in_the_middle_of_the_connection(returns: World, ask):
    ask.simulator.faults.add("cut_json", match="list")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        ask.list()
    assert len(ask.list().json()) == 4


def test_a_wrong_content_length_ends_the_json_early(returns: World, ask):
    ask.simulator.faults.add("wrong_content_length", match="list")
    with pytest.raises(ValueError):
        ask.list().json()
    assert len(ask.list().json()) == 4


def test_a_slow_answer_is_right_all_the_same(returns: World, ask):
    ask.simulator.faults.add("slow", match="list", seconds=0.05)
    before = time.monotonic()
    assert len(ask.list().json()) == 4
    assert time.monotonic() - before >= 0.05


def test_an_error_inside_a_200(returns: World, ask):
    body = {"errors": {"message": "Something went wrong.", "code": "UNEXPECTED_ERROR"}}
    ask.simulator.faults.add("error_body", match="process", body=body)
    answer = ask.act(77000001, "process")
    assert (answer.status_code, answer.json(), state(returns)[0]) == (200, body, False)


def test_faults_find_graphql_operations_by_name(world: World, ask):
    ask.simulator.faults.add("status", service="shopify", match="Self", status=502)
    assert ask.shopify("query Self { shop { name } }").status_code == 502
    assert ask.shopify("query Self { shop { name } }").status_code == 200


def test_faults_may_hit_one_return_only(returns: World, ask):
    ask.simulator.faults.add("status", match="process", rma=77000004, status=500)
    assert ask.act(77000001, "process").status_code == 200
    assert ask.act(77000004, "process").status_code == 500


def test_every_fortieth_call_of_any_kind(ask):
    ask.simulator.faults.add("status", status=429, every=4, times=None)
    assert [ask.list().status_code for _ in range(8)] == [200, 200, 200, 429, 200, 200, 200, 429]


def test_chance_repeats_with_the_seed():
    def drawn(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add("drop_before", chance=0.5, times=None)
        return [faults.take("loop", "list", "/", None) is not None for _ in range(20)]

    assert drawn(7) == drawn(7) != drawn(8)


def test_an_unknown_fault_is_refused():
    with pytest.raises(ValueError, match="no fault 'flood'"):
        Faults().add("flood")


def test_faults_can_be_cleared(ask):
    ask.simulator.faults.add("status", status=500, times=None)
    ask.simulator.faults.clear()
    assert ask.list().status_code == 200
