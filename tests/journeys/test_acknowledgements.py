"""A-100, A-101: what partners say about what they got."""

from __future__ import annotations

from typing import Any

from gateway.jobs import actions
from gateway.simulator.partner import read_x12
from gateway.simulator.partner_files import Acknowledged, make_997
from gateway.simulator.world import open_known_return
from tests.journeys.steps import announce, the_944
from tests.stage import HOUR, Stage

BATCH = (("mappings/atlas.toml", "expect_acknowledgement = true", "expect_acknowledgement = true\nbatch = 10"),)


def test_a100_of_a_group_of_three_only_the_rejected_ra_needs_sending_again(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=BATCH)
    for rma in (77000001, 77000003, 77000004):
        open_known_return(stage.world, rma)
    stage.import_rmas()
    (sent,) = stage.outbox("ATLAS")
    (group,) = read_x12(sent.read_bytes())
    assert [control for _, control, _ in group.sets] == ["0001", "0002", "0003"]

    sets = (("856", "0001", "A"), ("856", "0002", "R:5"), ("856", "0003", "A"))
    stage.drop("ATLAS", "ack.edi", make_997(Acknowledged("SH", group.number, sets), number=1))
    assert [stage.ra(f"RA{rma}").state.value for rma in (77000001, 77000003, 77000004)] == ["acknowledged", "sent", "acknowledged"]
    assert [stage.documents(f"RA{rma}")[0]["acknowledgement"] for rma in (77000001, 77000003, 77000004)] == ["accepted", "rejected", "accepted"]
    (task,) = stage.tasks("rejected by partner")
    assert task["subject"] == "RA77000003"
    assert task["text"].startswith("RA77000003 rejected by partner: ")
    assert len(task["text"]) > len("RA77000003 rejected by partner: ")

    (offered,) = actions.find_resendable(stage.ctx, ra="RA77000003", partner=None, since=None)
    assert offered.name == sent.name


def test_a100_a_batch_is_one_interchange_and_each_ra_has_its_own_receipt(make_stage: Any) -> None:
    stage: Stage = make_stage(edits=BATCH)
    for rma in (77000001, 77000003, 77000004):
        open_known_return(stage.world, rma)
    stage.import_rmas()
    stage.partners_answer()
    assert [stage.calls("process", rma) for rma in (77000001, 77000003, 77000004)] == [1, 1, 1]
    assert [f.control for f in stage.files() if f.direction == "out" and "856" in f.name] == ["000000001"]


def test_a101_without_acknowledgement_for_a_day_there_is_one_alert_naming_file_partner_and_ra(stage: Stage) -> None:
    announce(stage, 77000001)
    (sent,) = stage.outbox("ATLAS")
    stage.wait(23.9 * HOUR)
    stage.job("Upkeep")
    assert stage.alerts() == []
    stage.wait(0.2 * HOUR)
    for _ in range(3):
        stage.job("Upkeep")
    (alert,) = stage.alerts()
    assert alert["kind"] == "acknowledgement overdue"
    assert all(words in alert["text"] for words in (sent.name, "ATLAS", "RA77000001"))
    assert alert["times"] == 1
    assert stage.documents("RA77000001")[0]["acknowledgement"] == "overdue"


def test_a101_the_alert_is_repeated_daily_and_resolved_by_the_acknowledgement(stage: Stage) -> None:
    announce(stage, 77000001)
    stage.wait(24.1 * HOUR)
    stage.job("Upkeep")
    stage.wait(24.1 * HOUR)
    for _ in range(2):
        stage.job("Upkeep")
    assert [alert["times"] for alert in stage.alerts()] == [2]
    stage.drop("ATLAS", "ack.edi", make_997(Acknowledged("SH", "1", (("856", "0001", "A"),)), number=1))
    assert stage.alerts() == []


def test_a_997_is_never_answered_and_a_second_one_is_information(stage: Stage) -> None:
    announce(stage, 77000001)
    for number in (1, 2):
        stage.drop("ATLAS", f"ack{number}.edi", make_997(Acknowledged("SH", "1", (("856", "0001", "A"),)), number=number))
    stage.drop("ATLAS", "ack3.edi", make_997(Acknowledged("SH", "777", (("856", "0001", "A"),)), number=3))
    assert [f.outcome for f in stage.files() if f.direction == "in"] == ["applied"] * 3
    assert "information" in stage.file("ack2.edi").reason
    assert "nothing was sent under this number" in stage.file("ack3.edi").reason
    assert len(stage.outbox("ATLAS")) == 1
    assert stage.tasks() == []


def test_every_group_gets_one_997_even_when_its_business_needs_a_person(stage: Stage) -> None:
    stage.drop("ATLAS", "blind.edi", the_944(77000001, number=5, warehouse="NJ1"))
    (answer,) = stage.outbox("ATLAS")
    ((_, _, segments),) = [one for group in read_x12(answer.read_bytes()) for one in group.sets]
    assert [s for s in segments if s[0] in ("AK1", "AK5", "AK9")] == [["AK1", "RE", "5"], ["AK5", "A"], ["AK9", "A", "1", "1", "1"]]
