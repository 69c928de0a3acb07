"""People are told in time: the daily recap, alerts that are grouped, repeated late and resolved, over a real mail server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, update

from gateway.jobs import actions
from gateway.simulator.world import open_known_return
from gateway.store import database, events, messages
from gateway.store.schema import stock_ledger
from gateway.views import recap
from tests.journeys.steps import announce, come_back, process_in_full
from tests.postbox import Postbox, free_port, serving
from tests.stage import HOUR, PERIODS, Stage

TELL = """
[tell]
recap_to = ["desk@harbor.example"]
alert_to = ["desk@harbor.example"]
sender = "Returns <returns@harbor.example>"
smtp_host = "127.0.0.1"
smtp_port = {port}
smtp_security = "none"
recap_at = "{at}"
"""


@pytest.fixture
def box() -> Iterator[Postbox]:
    """A mail server that is up."""
    with serving(Postbox()) as made:
        yield made


def telling(make_stage: Callable[..., Stage], port: int, *, at: str = "00:00", **more: object) -> Stage:
    """A stage that tells people."""
    return make_stage(periods=PERIODS + TELL.format(port=port, at=at), **more)


def outbox(stage: Stage) -> list[tuple[str, str]]:
    """Kind and state of each message."""
    with database.reading(stage.ctx.engine) as connection:
        return [(row["kind"], row["state"]) for row in messages.list_messages(connection)]


def later(stage: Stage, hours: float) -> None:
    """Time passes and people are told what there is to tell."""
    stage.wait(hours * HOUR)
    stage.job("TellPeople")


def test_a122_a_day_without_exceptions_has_its_recap_which_says_all_clear(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port)
    process_in_full(stage, 77000001)
    stage.import_refunds()
    stage.job("DailyRecap")
    assert len(box.letters) == 1
    assert "all clear" in box.subjects[0]
    assert box.subjects[0].startswith("Harbor & Pine returns, ")
    assert "ATLAS: 1 in, 2 out" in box.text()
    assert "PACIFIC: 0 in, 0 out" in box.text()
    assert "closed: 1, 140.40 USD" in box.text()
    assert "<td>ATLAS</td><td>1</td><td>2</td>" in box.html()
    assert "no differences" in box.text()


def test_it_sends_one_recap_a_day_at_its_hour_and_another_only_on_demand(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port)
    for _ in range(3):
        stage.job("DailyRecap")
    assert len(box.letters) == 1
    stage.job("DailyRecap", now=True)
    assert len(box.letters) == 2
    stage.wait(24 * HOUR)
    stage.job("DailyRecap")
    stage.job("DailyRecap")
    assert len(box.letters) == 3


def test_a_difference_is_told_every_day_until_it_is_gone(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port)
    process_in_full(stage, 77000001)
    stage.import_refunds()
    posted = update(stock_ledger).where(stock_ledger.c.sku == "HOOD-GRY-M", stock_ledger.c.cause == "refund")
    for quantity, told in ((2, True), (2, True), (1, False)):
        with database.writing(stage.ctx.engine) as connection:
            connection.execute(posted.values(quantity=quantity))
        stage.job("DailyRecap", now=True)
        with database.writing(stage.ctx.engine) as connection:  # from here on nothing is recorded of the return
            events.set_position(connection, recap.DIFFERING, recap_from_now(connection))
        assert ("RMA 77000001: HOOD-GRY-M 2 posted to stock, 1 received" in box.text()) is told
        assert ("no differences" in box.text()) is not told


def recap_from_now(connection: Connection) -> str:
    """What the last recap kept, as if so much had happened since that the return's events are far behind."""
    kept = json.loads(events.position(connection, recap.DIFFERING) or "{}")
    return json.dumps(kept | {"event": kept["event"] + recap.OVERLAP})


def test_it_waits_for_the_hour_of_the_recap(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port, at="23:59:59.999")
    stage.job("DailyRecap")
    assert box.letters == []


def test_it_names_what_is_new_late_and_silent(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port)
    announce(stage, 77000001)
    later(stage, 15 * 24)
    stage.drop("ATLAS", "broken.edi", b"ISA*rubbish~")
    stage.job("DailyRecap", now=True)
    assert "all clear" not in box.subjects[-1]
    assert "2 late" in box.subjects[-1]
    assert "amber: ATLAS, 1 not received, 140.40 USD (RA77000001)" in box.text()
    assert "broken.edi" in box.text().partition("NEW, NEEDS A PERSON")[2]


def test_a101_one_overdue_alert_names_file_partner_and_ras_and_is_repeated_daily(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port, edits=(("mappings/atlas.toml", "[send]", "[calendar]\nquiet_after_hours = 0\n\n[send]"),))
    announce(stage, 77000001)
    stage.wait(24 * HOUR)
    stage.job("Upkeep")
    later(stage, 0.1)
    (overdue,) = [a for a in stage.alerts() if a["kind"] == "acknowledgement overdue"]
    (name,) = [path.name for path in stage.outbox("ATLAS")]
    assert all(word in overdue["text"] for word in ("ATLAS", name, "RA77000001"))
    assert box.text().count(overdue["text"]) == 1
    for _ in range(5):
        later(stage, 1)
    assert len(box.letters) == 1
    stage.job("Upkeep")
    later(stage, 24)
    assert len(box.letters) == 2
    assert "still open" in box.subjects[1]
    assert "told 2 times" in box.text()


def test_it_counts_the_time_for_an_acknowledgement_in_business_hours(make_stage: Callable[..., Stage], box: Postbox) -> None:
    closed = '[calendar]\nworking_days = []\nholidays = []\nhours = "09:00-17:00"\n\n[send]'
    stage = telling(make_stage, box.port, edits=(("mappings/atlas.toml", "[send]", closed.replace("[]", '["mon"]', 1)),))
    announce(stage, 77000001)
    stage.wait(40 * HOUR)
    stage.job("Upkeep")
    assert [a["kind"] for a in stage.alerts()] == []


def test_it_groups_alerts_and_says_when_they_are_over(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port)
    announce(stage, 77000001)
    open_known_return(stage.world, 77000004, 502)
    stage.import_rmas()
    later(stage, 100)
    stage.job("Upkeep")
    later(stage, 0.1)
    told = box.text(0) + box.text(-1)
    assert "PACIFIC: no file has ever come" in told
    assert "ATLAS: no file has ever come" in told
    assert len(box.letters) <= 2
    before = len(box.letters)
    stage.partners_answer()
    later(stage, 0.1)
    assert len(box.letters) == before + 1
    assert "resolved" in box.subjects[-1]
    assert "Resolved:\n- silence: PACIFIC" in box.text() or "- silence: PACIFIC" in box.text().partition("Resolved:")[2]
    later(stage, 0.1)
    assert len(box.letters) == before + 1


def test_a121_a_return_that_does_not_come_is_amber_after_15_days_and_red_after_29(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port)
    announce(stage, 77000001)
    later(stage, 15 * 24)
    assert [(r["level"], r["ra"], str(r["value"])) for r in stage.aging("not received")] == [("amber", "RA77000001", "140.40")]
    assert [a["subject"] for a in stage.alerts() if a["kind"] == "aging" and "not received" in a["subject"]] == []
    later(stage, 14 * 24)
    assert [(r["level"], r["ra"], str(r["value"])) for r in stage.aging("not received")] == [("red", "RA77000001", "140.40")]
    (red,) = [a["text"] for a in stage.alerts() if a["subject"] == "ATLAS not received USD"]
    assert red == "ATLAS: 1 RA(s) worth 140.40 USD not received for too long: RA77000001"
    come_back(stage, 77000001)
    later(stage, 0.1)
    assert stage.aging("not received") == []
    assert [a for a in stage.alerts() if a["subject"] == "ATLAS not received USD"] == []


def test_a_parcel_the_carrier_delivered_and_nobody_reports_is_late_after_three_business_days(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port)
    announce(stage, 77000001)
    stage.world.scan_label(77000001, "delivered")
    stage.wait(1)
    stage.import_rmas()
    later(stage, 1)
    assert stage.story(77000001).count("parcel.delivered") == 1
    assert stage.aging("delivered, not received") == []
    later(stage, 72)
    assert [r["ra"] for r in stage.aging("delivered, not received")] == ["RA77000001"]
    later(stage, 1)
    assert stage.story(77000001).count("parcel.delivered") == 1


def test_a_dead_mail_server_is_a_problem_that_loses_nothing_and_doubles_nothing(make_stage: Callable[..., Stage]) -> None:
    box = Postbox(port=free_port())
    stage = telling(make_stage, box.port)
    stage.job("DailyRecap")
    assert outbox(stage) == [("recap", "pending")]
    assert [a["kind"] for a in stage.alerts()] == ["cannot tell"]
    stage.job("TellPeople")
    assert outbox(stage) == [("recap", "pending")], "of the dead server nobody is told by the dead server"
    with serving(box):
        stage.wait(3600)
        assert outbox(stage) == [("recap", "sent")]
        assert len(box.letters) == 1
        assert stage.alerts() == []


@pytest.mark.parametrize(("behaviour", "state"), [({"refuse": "451 try later"}, "pending"), ({"hang_up": "before"}, "in doubt")])
def test_a_letter_that_was_not_taken_for_sure_goes_out_again_and_one_in_doubt_does_not(
    make_stage: Callable[..., Stage], box: Postbox, behaviour: dict[str, str], state: str
) -> None:
    stage = telling(make_stage, box.port)
    for name, value in behaviour.items():
        setattr(box, name, value)
    stage.job("DailyRecap")
    assert outbox(stage) == [("recap", state)]
    box.refuse = box.hang_up = ""
    stage.wait(3600)
    assert len(box.letters) == (1 if state == "pending" else 0)


def test_a_letter_that_was_taken_before_the_line_broke_is_not_sent_twice_unless_a_person_says_so(
    make_stage: Callable[..., Stage], box: Postbox
) -> None:
    stage = telling(make_stage, box.port)
    box.hang_up = "after"
    stage.job("DailyRecap")
    box.hang_up = ""
    stage.wait(24 * 3600)
    assert len(box.letters) == 1
    (doubt,) = [a for a in stage.alerts() if a["kind"] == "message in doubt"]
    assert "gateway retry message:1" in doubt["text"]
    assert "queued" in actions.retry(stage.ctx, step="message:1", actor="dana")
    stage.worker.drain()
    assert len(box.letters) == 2
    assert box.letters[0]["Message-ID"] == box.letters[1]["Message-ID"]
    assert stage.alerts() == []
    assert "not sent again" in actions.retry(stage.ctx, step="message:1", actor="dana")


def test_a_refused_address_becomes_a_task(make_stage: Callable[..., Stage], box: Postbox) -> None:
    box.refuse = "550 no such user"
    stage = telling(make_stage, box.port)
    stage.job("DailyRecap")
    (task,) = stage.tasks("message refused")
    assert "550 no such user" in task["text"]
    stage.wait(24 * 3600)
    assert outbox(stage) == [("recap", "failed")]


def test_hostile_names_stay_text_in_the_mail(make_stage: Callable[..., Stage], box: Postbox) -> None:
    stage = telling(make_stage, box.port)
    announce(stage, 77000001)
    stage.drop("ATLAS", "<script>alert(1){{7*7}}.edi", b"ISA*rubbish~")
    stage.job("DailyRecap")
    assert "<script>" not in box.html()
    assert "&lt;script&gt;" in box.html()
    assert "{{7*7}}" in box.text()
