"""What goes wrong outside: files that are no receipts, services that do not answer, answers that do not arrive.

Each bad file ends with an outcome, a note that says what, where, why and what to do, and its bytes kept; the file beside it is applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.jobs import intake
from gateway.jobs.context import Tally
from gateway.simulator.partner import Line, make_944, read_x12
from gateway.simulator.world import open_known_return
from tests.journeys.steps import ALL_GOOD, announce, come_back, process_in_full, review, the_944
from tests.stage import HOUR, Stage

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
HOOD = [("HOOD-GRY-M", 1)]


def hood(**options: object) -> bytes:
    """A 944 for RA77000004 with faults."""
    return make_944("RA77000004", HOOD, receipt_no="WR5504", final=True, warehouse="NJ1", **options)


BAD_FILES: dict[str, tuple[bytes, str, tuple[str, ...]]] = {
    "empty": (b"", "error", ("the file is empty (0 bytes)", "send it again complete")),
    "blank": (b"  \r\n\t \n", "error", ("the file is empty", "send it again complete")),
    "pdf": (PDF, "error", ("binary (a PDF", "begins with ISA", "dropping the right file into the inbox is enough")),
    "text": (b"Dear all, the goods have come.\n", "error", ("the file is text", "begins with ISA")),
    "segment-count": (hood(number=21, segment_count=99), "error", ("99", "set 1 (944 0001)", "SE")),
    "interchange-numbers": (hood(number=22, iea_number=99), "error", ("000000022", "000000099", "IEA")),
    "set-count": (hood(number=23, set_count=7), "error", ("7", "GE")),
    "unknown-sender": (hood(number=24, sender="STRANGER"), "error", ("The sender 'STRANGER' is not known", "ATLAS3PL", "x12.partner_id")),
    "test-flag": (hood(number=25, usage="T"), "quarantine", ("marked test (ISA15 T)", "production inbox", "nothing of it was applied")),
    "quantity": (make_944("RA77000004", [Line("HOOD-GRY-M", quantity="1O")], number=26, total=1), "error", ("W07", "'1O'", "set 1")),
    "negative": (make_944("RA77000004", [Line("HOOD-GRY-M", quantity="-1")], number=27, total=-1), "error", ("-1", "negative")),
    "condition": (make_944("RA77000004", [Line("HOOD-GRY-M", 0, 1, damage="11")], number=28), "error", ("W13", "conditions")),
    "unit": (make_944("RA77000004", [Line("HOOD-GRY-M", 1, unit="CT")], number=29), "error", ("'CT'", "units", "segment 5 (W07), element 02")),
    "no-lines": (make_944("RA77000004", [], number=30), "error", ("W07",)),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_told_in_words_kept_and_stops_no_other(stage: Stage, kind: str) -> None:
    content, outcome, words = BAD_FILES[kind]
    announce(stage, 77000001)
    announce(stage, 77000004)
    inbox = stage.folder / "inbox" / "ATLAS"
    (inbox / "bad.edi").write_bytes(content)
    (inbox / "good.edi").write_bytes(the_944(77000001, number=1))
    stage.take()

    bad = stage.file("bad.edi")
    assert bad.outcome == outcome
    assert bad.reason
    area = "quarantine" if outcome == "quarantine" else "error"
    side = stage.side_file("bad.edi", area=area)
    assert [word for word in words if word not in side] == []
    assert all(heading in side for heading in ("What:", "Where:", "To do:", "bad.edi", "ATLAS"))
    assert (stage.folder / "var" / bad.place).read_bytes() == content
    assert bad.place == f"{area}/ATLAS/bad.edi"
    assert [task["subject"] for task in stage.tasks(f"file {outcome}")] == [f"file {bad.id}"]

    assert (stage.file("good.edi").outcome, stage.calls("process", 77000001)) == ("applied", 1)
    assert stage.lines("RA77000004") == {"HOOD-GRY-M": (1, 0, 0, 0)}
    assert (stage.calls("process", 77000004), stage.calls("flag", 77000004)) == (0, 0)
    stage.drop("ATLAS", "corrected.edi", hood(number=77))
    assert (stage.file("corrected.edi").outcome, stage.calls("process", 77000004)) == ("applied", 1)


@pytest.mark.parametrize("length", [40, 106, 300], ids=["inside-isa", "after-isa", "without-iea"])
def test_a_cut_file_waits_as_incomplete_and_is_told_when_it_does_not_grow(stage: Stage, length: int) -> None:
    announce(stage, 77000004)
    path = stage.folder / "inbox" / "ATLAS" / "cut.edi"
    path.write_bytes(hood()[:length])

    def look(at: float) -> None:
        stage.clock.advance(at - passed[-1])
        passed.append(at)
        intake.take_files(replace(stage.ctx, monotonic=lambda: at), "ATLAS")
        stage.worker.drain()

    passed = [0.0]
    for at in (0.0, 6.0, 23 * HOUR):
        look(at)
    assert path.exists()
    assert [task["subject"] for task in stage.tasks("incomplete file")] == ["ATLAS cut.edi"]
    for at in (24.1 * HOUR, 24.2 * HOUR):
        look(at)
    assert not path.exists()
    file = stage.file("cut.edi")
    assert (file.outcome, (stage.folder / "var" / file.place).read_bytes()) == ("error", hood()[:length])
    assert all(heading in stage.side_file("cut.edi") for heading in ("What:", "Where:", "To do:"))
    assert stage.calls("process", 77000004) == 0


def test_a_file_of_another_partner_names_both(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    text = (stage.folder / "mappings" / "atlas.toml").read_text()
    (stage.folder / "mappings" / "boreas.toml").write_text(text.replace('"ATLAS"', '"BOREAS"').replace("ATLAS3PL", "BOREAS3PL"))
    stage.reopen()
    stage.drop("ATLAS", "bad.edi", hood(sender="BOREAS3PL"))
    assert stage.file("bad.edi").outcome == "error"
    side = stage.side_file("bad.edi")
    assert "The file is from BOREAS, but lies in ATLAS's folder." in side
    assert "drop it into BOREAS's inbox" in side
    stage.drop("BOREAS", "bad.edi", hood(sender="BOREAS3PL"))
    assert stage.file("bad.edi").outcome == "applied"


def test_a111_a_test_file_in_the_test_inbox_and_a_production_file_there_never_mix(stage: Stage) -> None:
    announce(stage, 77000004)
    (stage.folder / "inbox" / "ATLAS" / "test" / "p.edi").write_bytes(hood(number=5))
    stage.take()
    assert stage.file("p.edi").outcome == "quarantine"
    assert stage.calls("process", 77000004) == 0


def test_wrong_counts_are_answered_by_a_rejecting_997(stage: Stage) -> None:
    stage.drop("ATLAS", "bad.edi", hood(number=21, segment_count=99))
    (answer,) = stage.outbox("ATLAS")
    ((_, _, segments),) = [one for group in read_x12(answer.read_bytes()) for one in group.sets]
    assert [s for s in segments if s[0] in ("AK1", "AK5", "AK9")] == [["AK1", "RE", "21"], ["AK5", "R", "4"], ["AK9", "R", "1", "1", "0"]]


def test_interchange_numbers_that_differ_are_answered_by_a_ta1(stage: Stage) -> None:
    stage.drop("ATLAS", "bad.edi", hood(number=22, iea_number=99))
    (answer,) = stage.outbox("ATLAS")
    assert b"TA1*000000022*" in answer.read_bytes()
    assert b"*R*001~" in answer.read_bytes()


def test_an_unknown_sku_goes_on_by_itself_once_it_is_mapped(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.receive("RA77000004", [("HOODIE-01", 1)], receipt_no="WR5504")
    assert stage.file("ATLAS_944_1001.edi").outcome == "applied"
    (task,) = stage.tasks("unmapped item")
    assert "HOODIE-01" in task["text"]
    assert (stage.calls("process", 77000004), stage.calls("flag", 77000004)) == (0, 0)
    profile = stage.folder / "mappings" / "atlas.toml"
    profile.write_text(profile.read_text() + '\n[cross_references]\n"HOODIE-01" = "HOOD-GRY-M"\n')
    stage.reopen()
    stage.job("Upkeep")
    assert stage.lines("RA77000004") == {"HOOD-GRY-M": (1, 1, 0, 0)}
    assert (stage.calls("process", 77000004), stage.tasks()) == (1, [])


def test_a_bad_csv_row_names_line_and_column_value(stage: Stage) -> None:
    header = b"receipt_number,ra_number,received_at,sku,quantity,condition\r\n"
    stage.drop("PACIFIC", "bad.csv", header + b"P1,RA1,2026-11-23,HOOD-GRY-M,two,GOOD\r\nP2,RA2,2026-11-23,HOOD-GRY-M,1,GOOD\r\n")
    assert stage.file("bad.csv").outcome == "partial"
    side = stage.side_file("bad.csv", partner="PACIFIC")
    assert "line 2" in side
    assert "'two'" in side
    assert [held.document.receipt_no for held in stage.receipts()] == ["P2"]


def test_a_csv_without_its_columns_is_refused_whole(stage: Stage) -> None:
    stage.drop("PACIFIC", "bad.csv", b"a,b,c\r\n1,2,3\r\n")
    assert stage.file("bad.csv").outcome == "error"
    side = stage.side_file("bad.csv", partner="PACIFIC")
    assert [name for name in ("receipt_number", "ra_number", "quantity", "condition", "a, b, c", "line 1") if name not in side] == []


# services that refuse, or answer with something else


def failed(stage: Stage, tally: Tally, words: str) -> None:
    """The job failed as a whole, its run says why, and somebody is told until a run succeeds."""
    assert tally.failed == 1
    assert words in stage.runs()[-1]["trouble"]
    (alert,) = [a for a in stage.alerts() if a["kind"] == "job failed"]
    assert words in alert["text"]


@pytest.mark.parametrize("cause", ["wrong-key", "no-scope"])
def test_a_refused_loop_key_fails_the_job_in_clear_words_and_loses_nothing(stage: Stage, cause: str) -> None:
    open_known_return(stage.world, 77000001)
    rules, key = stage.simulator.loop_rules, stage.simulator.loop_key
    right = dict(rules.keys)
    rules.keys = {} if cause == "wrong-key" else {key: ("destinations:read",)}
    words = "Loop answered 401: the key is wrong, or it lacks a scope. Check the key in gateway.toml"
    failed(stage, stage.import_rmas(), words)
    assert stage.outbox("ATLAS") == []
    rules.keys = right
    stage.import_rmas()
    assert len(stage.outbox("ATLAS")) == 1


def test_a_loop_key_that_stops_working_delays_the_process_call_and_alerts_until_it_works(stage: Stage) -> None:
    announce(stage, 77000004)
    rules, right = stage.simulator.loop_rules, dict(stage.simulator.loop_rules.keys)
    rules.keys = {}
    come_back(stage, 77000004)
    assert [alert["kind"] for alert in stage.alerts()] == ["access denied"]
    rules.keys = right
    stage.wait(901)
    assert (stage.simulator.calls.count("process", 77000004, accepted=True), stage.alerts()) == (1, [])
    stage.loop_finishes()
    assert stage.ra("RA77000004").state.value == "processed"


def test_a_wrong_shopify_token_fails_the_job_in_clear_words_and_loses_nothing(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    right = dict(stage.simulator.shopify_rules.tokens)
    stage.simulator.shopify_rules.tokens = {}
    failed(stage, stage.import_refunds(), "Shopify answered 401: the key is wrong")
    assert stage.invoices() == {}
    stage.simulator.shopify_rules.tokens = right
    stage.import_refunds()
    assert stage.invoices()["6100001"]["total"] == "140.40"


def test_a_shopify_token_without_a_scope_says_which_step_is_denied(stage: Stage) -> None:
    process_in_full(stage, 77000001)
    right = dict(stage.simulator.shopify_rules.tokens)
    stage.simulator.shopify_rules.tokens = {stage.simulator.shopify_token: frozenset({"read_products"})}
    failed(stage, stage.import_refunds(), "Shopify denies OrdersTouched")
    stage.simulator.shopify_rules.tokens = right
    stage.import_refunds()
    assert stage.invoices()["6100001"]["total"] == "140.40"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "html"}, "Loop answered 200: '<html>"),
        ({"kind": "status", "status": 503}, "Loop answered 503"),
        ({"kind": "status", "status": 429, "retry_after": 500}, "Loop answered 429 too many requests"),
        ({"kind": "cut_json"}, "Loop closed the connection or stopped answering before its answer was complete"),
        ({"kind": "wrong_content_length"}, "Loop answered 200: '{"),
        ({"kind": "drop_before"}, "Loop closed the connection"),
    ],
    ids=["html", "503", "429", "cut", "wrong-length", "dropped"],
)
def test_a_list_that_loop_does_not_give_fails_for_a_passing_reason_and_the_next_run_has_all(stage: Stage, fault: dict[str, Any], words: str) -> None:
    open_known_return(stage.world, 77000001)
    stage.simulator.faults.add(**{"service": "loop", "match": "list", **fault})
    failed(stage, stage.import_rmas(), words)
    tally = stage.import_rmas()
    assert (tally.done, len(stage.outbox("ATLAS")), stage.alerts()) == (1, 1, [])


@pytest.mark.parametrize("kind", ["drop_after_effect", "cut_json", "html-after-effect"])
def test_a_process_whose_answer_is_lost_is_looked_up_and_not_repeated(stage: Stage, kind: str) -> None:
    announce(stage, 77000004)
    if kind == "html-after-effect":
        stage.simulator.faults.add("html", service="loop", match="process", status=502, effect=True)
    else:
        stage.simulator.faults.add(kind, service="loop", match="process")
    come_back(stage, 77000004)
    (effect,) = [e for e in stage.effects(77000004) if e.kind == "loop.process"]
    assert effect.state.value == "in_doubt"
    stage.wait(30)
    assert stage.calls("process", 77000004) == 1
    stage.wait(31)
    assert stage.calls("process", 77000004) == 1
    stage.loop_finishes()
    (effect,) = [e for e in stage.effects(77000004) if e.kind == "loop.process"]
    assert (effect.state.value, effect.attempts) == ("confirmed", 1)
    assert stage.ra("RA77000004").state.value == "processed"
    assert stage.tasks() == []


@pytest.mark.parametrize("verb", ["process", "remove"])
def test_a_call_that_loop_queued_but_has_not_carried_out_is_not_repeated(make_stage: Callable[..., Stage], verb: str) -> None:
    stage = make_stage(edits=(("gateway.toml", 'short = "flag"', 'short = "remove_and_process"'),))
    stage.world.settings.processing_delay = 10 * HOUR
    announce(stage, 77000003)
    stage.simulator.faults.add("drop_after_effect", service="loop", match=verb)
    come_back(stage, 77000003, *(ALL_GOOD[77000003] if verb == "process" else ALL_GOOD[77000003][:2]))
    stage.wait(61)
    stage.wait(61)
    (effect,) = [e for e in stage.effects(77000003) if e.kind == f"loop.{verb}"]
    assert (effect.state.value, effect.attempts, stage.calls(verb, 77000003)) == ("confirmed", 1, 1)
    assert stage.ra("RA77000003").state.value == "process requested"
    assert stage.tasks() == []


@pytest.mark.parametrize("kind", ["drop_after_effect", "cut_json"])
def test_a_flag_whose_answer_is_lost_is_looked_up_and_not_repeated(stage: Stage, kind: str) -> None:
    announce(stage, 77000004)
    stage.simulator.faults.add(kind, service="loop", match="flag")
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    stage.wait(61)
    assert (stage.calls("flag", 77000004), stage.ra("RA77000004").state.value) == (1, "flagged")
    assert [e.state.value for e in stage.effects(77000004)] == ["confirmed"] * 3


def test_a_flag_in_doubt_on_a_return_that_was_closed_meanwhile_is_over_and_said_once(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.simulator.faults.add("drop_after_effect", service="loop", match="flag")
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    review(stage, 77000004, restock=False)
    stage.wait(61)
    (effect,) = [e for e in stage.effects(77000004) if e.kind == "loop.flag"]
    assert (effect.state.value, stage.calls("flag", 77000004), stage.tasks("in doubt")) == ("failed", 1, [])
    (task,) = stage.tasks("flag refused")
    assert task["text"].startswith("It is not known whether Loop did flag RMA 77000004: the call had no answer, and somebody has closed the return")
    stage.import_refunds()
    assert (stage.ra("RA77000004").state.value, stage.stock("NJ1-SQ", "HOOD-GRY-M")) == ("closed", 1)


@pytest.mark.parametrize("kind", ["drop_after_effect", "cut_json"])
def test_a_note_whose_answer_is_lost_is_looked_up_and_not_repeated(stage: Stage, kind: str) -> None:
    stage.simulator.faults.add(kind, service="loop", match="note")
    announce(stage, 77000004)
    assert len(stage.notes(77000004)) == 1
    stage.wait(61)
    assert (len(stage.notes(77000004)), stage.calls("note", 77000004)) == (1, 1)
    assert [e.state.value for e in stage.effects(77000004)] == ["confirmed"]


@pytest.mark.parametrize("verb", ["process", "flag", "note"])
def test_a_call_that_never_arrived_is_looked_up_and_sent_again_once(stage: Stage, verb: str) -> None:
    announce(stage, 77000004)
    stage.simulator.faults.add("drop_before", service="loop", match=verb)
    come_back(stage, 77000004, *([("HOOD-GRY-M", 0, 1)] if verb != "process" else []))
    stage.wait(61)
    stage.wait(61)
    assert stage.simulator.calls.count(verb, 77000004, accepted=True) == (2 if verb == "note" else 1)
    assert {e.state.value for e in stage.effects(77000004) if e.kind == f"loop.{verb}"} == {"confirmed"}


def test_a_stock_export_whose_answer_is_lost_is_repeated_without_counting_twice(stage: Stage) -> None:
    process_in_full(stage, 77000004)
    stage.import_refunds()
    stage.simulator.faults.add("drop_after_effect", service="shopify", match="SetQuantities")
    stage.job("ShopifyExportInventory")
    stage.wait(61)
    assert stage.world.available("HOOD-GRY-M", 7001) == 11
    assert [e.state.value for e in stage.effects("7001/HOOD-GRY-M")] == ["confirmed"]
    assert stage.job("ShopifyExportInventory").read == 0


def test_one_return_that_cannot_be_read_stops_only_itself(stage: Stage) -> None:
    open_known_return(stage.world, 77000001)
    open_known_return(stage.world, 77000004)
    stage.world.orders[5000001004].name = ""
    tally = stage.import_rmas()
    assert (tally.done, tally.failed) == (1, 1)
    (task,) = stage.tasks("unreadable return")
    assert "77000004" in task["text"]
    assert "order_name" in task["text"]
    assert [f for f in stage.files() if "856" in f.name]


def test_a_partner_of_good_and_bad_files_keeps_its_order(stage: Stage) -> None:
    announce(stage, 77000001)
    lines = ALL_GOOD[77000001]
    inbox = stage.folder / "inbox" / "ATLAS"
    for place in range(6):
        content = PDF if place % 2 else make_944("RA77000001", [(sku, 0) for sku, _ in lines], number=place + 1, receipt_no=f"WR{place}")
        (inbox / f"{place}.edi").write_bytes(content)
    stage.take()
    assert [stage.file(f"{place}.edi").outcome for place in range(6)] == ["applied", "error"] * 3
