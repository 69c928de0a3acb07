"""A person steers the world over HTTP, without keys and without leaving a trace in the call log."""

import pytest
import requests

from gateway.simulator.partner import Partner, put
from gateway.simulator.server import Simulator, SimulatorDefect
from gateway.simulator.world import World, open_known_return


def test_a_return_is_opened_processed_and_shown(ask):
    assert ask.control("open_known_return", rma=77000001).status_code == 200
    opened = ask.control("open_return", rma=77000050, order_name="#1004", units=[[1, "HOOD-GRY-M"]], destination=501)
    assert opened.json()["done"] == "open_return"
    ask.act(77000001, "process")
    ask.control("advance", seconds=10)
    state = ask.session.get(f"{ask.simulator.control_url}/state", timeout=5).json()
    assert {row["id"]: row["state"] for row in state["returns"]} == {77000001: "closed", 77000050: "open"}
    assert state["available"]["7001"]["TEE-BLK-M"] == 12


def test_a_reviewer_acts_over_http(returns: World, ask):
    ask.act(77000004, "flag")
    ask.control("review", rma=77000004, restock=False)
    assert returns.refunds[6100004].lines[0].restock_type == "NO_RESTOCK"


def test_faults_and_settings_are_switched_over_http(ask):
    ask.control("fault", kind="status", service="loop", match="list", status=503)
    assert ask.session.get(f"{ask.simulator.control_url}/faults", timeout=5).json()[0]["status"] == 503
    assert ask.list().status_code == 503
    ask.control("settings", loop_discount=True)
    assert ask.simulator.world.settings.loop_discount is True


def test_what_cannot_be_done_is_said(ask):
    assert "there are" in ask.control("dance").json()["error"]
    assert ask.control("review", rma=1).json()["error"] == "no return 1"
    assert ask.control("settings", colour=1).status_code == 400
    assert ask.session.get(f"{ask.simulator.control_url}/nothing", timeout=5).status_code == 404


def test_steering_is_not_logged_as_a_call(ask):
    ask.control("settle")
    ask.list()
    calls = ask.session.get(f"{ask.simulator.control_url}/calls", timeout=5).json()
    assert [call["operation"] for call in calls] == ["list"]
    assert "open_return" in ask.session.get(f"{ask.simulator.control_url}/actions", timeout=5).json()


def test_partners_step_over_http(ask, tmp_path):
    ask.simulator.partners.append(Partner("ATLAS", tmp_path / "out", tmp_path / "in", ask.simulator.world.clock))
    rows = "ra_number,line_no,sku,upc,quantity\r\nRA77000004,1,HOOD-GRY-M,840000100047,1\r\n"
    put(tmp_path / "out", "asn.csv", rows.encode())
    done = ask.control("step_partners").json()["result"]
    assert done == ["ATLAS took asn.csv", "ATLAS noted RA77000004", "ATLAS received RA77000004 in ATLAS_receipt_000001.csv"]


def test_a_defect_of_the_simulator_is_raised_when_it_stops(world: World):
    simulator = Simulator(world).start()
    world.settings.processing_delay = "soon"
    url, headers = f"{simulator.loop_url}/warehouse/return/77000001/process", {"X-Authorization": simulator.loop_key}
    open_known_return(world, 77000001)
    with pytest.raises(requests.ConnectionError):
        requests.post(url, headers=headers, timeout=5)
    with pytest.raises(SimulatorDefect, match="TypeError"):
        simulator.stop()
