"""What pages say and do, read as text."""

from __future__ import annotations

import io
import re
import shutil

from sqlalchemy import event

from gateway.store import database, events
from gateway.views import cases, desk
from gateway.views.aging import Limits
from tests.adapters.web.conftest import SignIn
from tests.adapters.web.test_guard import form_key
from tests.benchmarks.service import content
from tests.browser.scene import DAY
from tests.journeys import steps
from tests.stage import Stage


def text_of(page: str) -> str:
    """A page's words, one blank between them."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a043_a_refund_seen_again_is_information_and_no_error(world: Stage, visit: SignIn) -> None:
    page = visit("fina").get("/refunds").text
    row = next(r for r in page.split("<tr>") if "6100001" in r)
    assert "Refund ID Already Exists" in row
    assert '<span class="chip plain">information</span>' in row
    assert "bad" not in row
    assert world.alerts() == []
    assert world.runs()[-1]["failed"] == 0


def test_a120_the_timeline_is_on_the_page_in_order(visit: SignIn) -> None:
    page = text_of(visit("vera").get("/returns/77000001").text.split('id="timeline"')[1])
    steps_ = ["Created in Loop", "RA77000001 made", "Note in Loop", "856 sent", "Receipt WR5501", "received in full", "Process requested"]
    steps_ += ["Closed in Loop", "Refund 6100001 imported", "Stock:", "Credit invoice CI-6100001", "Exported to Shopify"]
    places = [page.find(step) for step in steps_]
    assert -1 not in places, dict(zip(steps_, places, strict=True))
    assert places == sorted(places)


def test_a121_what_is_not_received_turns_amber_and_red(stage: Stage, sign_in: SignIn) -> None:
    steps.announce(stage, 77000001)
    for days, red in ((15, False), (29, True)):
        stage.clock.advance((days - (0 if days == 15 else 15)) * DAY)
        with database.reading(stage.ctx.engine) as connection:
            late = desk.aging(connection, now=stage.ctx.now(), limits=Limits(), calendars={})["late"]
        assert [(row["ra"], row["value_cents"], row["red"]) for row in late] == [("RA77000001", 14040, red)]


def test_what_the_carrier_delivered_and_nobody_reports_is_on_the_aging_page(peopled: Stage, sign_in: SignIn) -> None:
    steps.announce(peopled, 77000001)
    peopled.world.scan_label(77000001, "delivered")
    peopled.wait(1)
    peopled.import_rmas()
    peopled.job("TellPeople")
    peopled.wait(DAY)
    with database.reading(peopled.ctx.engine) as connection:
        assert desk.aging(connection, now=peopled.ctx.now(), limits=Limits(), calendars={})["delivered"] == []
    peopled.wait(6 * DAY)
    page = text_of(sign_in("vera").get("/aging").text)
    assert "not received: 1 after 3 working days" in page
    assert "RA77000001 amber ATLAS" in page


def test_today_names_a_part_that_is_not_well_and_only_then(peopled: Stage, sign_in: SignIn, visit: SignIn) -> None:
    assert "Parts not well" not in visit("vera").get("/").text
    shutil.rmtree(peopled.folder / "inbox" / "ATLAS")
    page = text_of(sign_in("vera").get("/").text)
    assert re.search(r"Parts not well folders ATLAS: ATLAS: the folder \S+ is not there", page)


def test_a140_the_page_says_why_it_was_flagged(world: Stage, visit: SignIn) -> None:
    page = text_of(visit("vera").get("/returns/77000003").text)
    assert "because 2 of 3 units came: CAP-NVY-OS short 1 of 1, value 27.00" in page
    assert "WR5503" in page
    assert "ATLAS_944_" in page


def test_one_box_leads_straight_to_the_return(world: Stage, visit: SignIn) -> None:
    client = visit("vera")
    tracking = world.ra("RA77000003").document.tracking_numbers[0]
    for words in ("77000003", "RA77000003", "ra77000003", "#1003", "5000001003", tracking, " 77000003 ", tracking[:-2]):
        answer = client.get("/find", query_string={"q": words})
        assert answer.headers.get("Location") == "/returns/77000003", words
    assert client.get("/find?q=broken.edi").headers["Location"].startswith("/files/")
    assert client.get("/find?q=6100001").headers["Location"] == "/returns/77000001"
    both = client.get("/find?q=1003").text  # an order's number and a control number
    assert both.find("/returns/77000003") < both.find("ATLAS_944_1003.edi")
    several = client.get("/find?q=HOOD-GRY-M").text
    assert "/returns/77000001" in several
    assert "/returns/77000004" in several
    assert "Nothing is called" in client.get("/find", query_string={"q": "zzz<b>"}).text


def test_a_flagged_return_and_every_task_is_on_the_work_list(world: Stage, visit: SignIn) -> None:
    client = visit("vera")
    page = text_of(client.get("/desk").text)
    assert "All 4" in page
    assert "RMA 77000003 was flagged: CAP-NVY-OS short 1 of 1" in page
    valued = text_of(client.get("/desk?order=value").text)
    assert valued.find("135.00") < valued.find("75.60")


def test_bulk_shows_the_count_first_then_each_result(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    numbers = [str(task["id"]) for task in filled.tasks()]
    data = {"form_key": form_key(client), "task": numbers, "action": "close", "reason": "seen to by phone"}
    assert "Close by hand: 2 items" in text_of(client.post("/desk/bulk", data=data).text)
    assert len(filled.tasks()) == 2
    assert "2 of 2 done" in text_of(client.post("/desk/bulk/do", data=data).text)
    assert filled.tasks() == []


def test_many_parcels_are_attached_with_the_count_first_and_each_result(filled: Stage, sign_in: SignIn) -> None:
    filled.receive("", [("DRS-RED-6", 1)], receipt_no="WR9998")
    client = sign_in("otto")
    assert client.get("/parcels").text.count('name="parcel"') == 2
    waiting = {held.document.receipt_no: held.id for held in filled.receipts() if held.state == "unmatched"}
    data = {"form_key": form_key(client), "parcel": [f"{waiting['WR9999']} RA77000002", f"{waiting['WR9998']} RA404", "x RA77000002"]}
    assert "Attach: 2 parcels" in text_of(client.post("/parcels/bulk", data=data).text)
    assert {held.state for held in filled.receipts() if held.id in waiting.values()} == {"unmatched"}, "asking attaches nothing"
    done = text_of(client.post("/parcels/bulk/do", data=data).text)
    assert "1 of 2 done" in done
    assert "RA404 is not in the book" in done
    assert "1 of 2" not in text_of(client.post("/parcels/bulk/do", data=data).text), "what is attached is not attached again"
    assert [held.ra for held in filled.receipts() if held.id in waiting.values()] == ["RA77000002", None]


def test_many_ras_are_held_and_released_with_the_count_first(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    data = {"form_key": form_key(client), "verb": "hold", "ra": ["RA77000002", "RA77000003"]}
    asked = text_of(client.post("/ras/bulk", data=data).text)
    assert "Hold: 1 RA" in asked
    assert "Left out: 1" in asked
    assert filled.ra("RA77000002").hold == ""
    assert client.post("/ras/bulk/do", data=data).status_code == 409
    assert "1 of 2 done" in text_of(client.post("/ras/bulk/do", data=data | {"reason": "stocktaking"}).text)
    assert "stocktaking" in filled.ra("RA77000002").hold
    assert "1 of 1 done" in text_of(client.post("/ras/bulk/do", data=data | {"verb": "release", "ra": "RA77000002"}).text)
    assert filled.ra("RA77000002").hold == ""


def test_the_whole_list_means_what_the_list_shows(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    asked = text_of(client.post("/ras/bulk", data={"form_key": form_key(client), "verb": "close", "all": "yes", "stage": "flagged"}).text)
    assert "Close: 2 RAs" in asked
    assert "RA77000002" not in asked
    assert client.post("/ras/bulk", data={"form_key": form_key(client), "verb": "forget", "ra": "RA77000002"}).status_code == 409


def test_an_item_is_taken_over_with_a_note(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    task = filled.tasks()[0]
    client.post(f"/desk/{task['id']}", data={"form_key": form_key(client), "note": "called the warehouse", "mine": "yes"})
    assert (filled.tasks()[0]["owner"], filled.tasks()[0]["note"]) == ("otto", "called the warehouse")
    assert "otto looks after it" in text_of(client.get("/desk?owner=otto").text)


def test_a_dropped_file_is_taken_like_any_other(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    content = steps.the_944(77000002, number=7001)
    data = {"form_key": form_key(client), "partner": "ATLAS", "file": (io.BytesIO(content), "../../up.edi")}
    shown = text_of(client.post("/files/drop", data=data, content_type="multipart/form-data").text)
    assert "Nothing has happened yet" in shown
    assert "receipt WR5502 for RA77000002" in shown
    assert "loop.process on 77000002" in shown
    assert not list((filled.folder / "inbox" / "ATLAS").glob("up*"))
    for said in ("lies in the inbox", "not waiting any more"):
        client.post("/files/drop/take", data={"form_key": form_key(client)})
        assert said in client.get("/files").text
    filled.take()
    assert filled.file("up.edi").outcome == "applied"
    assert filled.decision("77000002") is not None


def test_a_file_is_dropped_over_nothing(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    (filled.folder / "inbox" / "ATLAS" / "same.edi").write_bytes(b"theirs")
    data = {"form_key": form_key(client), "partner": "ATLAS", "file": (io.BytesIO(b"ours"), "same.edi")}
    client.post("/files/drop", data=data, content_type="multipart/form-data")
    answer = client.post("/files/drop/take", data={"form_key": form_key(client)})
    assert (answer.status_code, "it is not overwritten" in answer.text) == (409, True)
    assert (filled.folder / "inbox" / "ATLAS" / "same.edi").read_bytes() == b"theirs"


def test_a_file_is_shown_three_ways_with_its_finding_at_its_place(world: Stage, visit: SignIn) -> None:
    client = visit("vera")
    page = client.get(f"/files/{world.file('broken.edi').id}").text
    found = next(block for block in page.split("<li") if "W07*X*QQ" in block)
    assert all(heading in page for heading in (">Raw<", ">Annotated<", ">In business words<"))
    assert 'id="finding2"' in found
    assert 'href="#finding2"' in page
    assert "must be a number" in found
    assert "Quantity Received" in found
    assert client.get(f"/files/{world.file('broken.edi').id}/download").data == b"".join(
        world.ctx.folders["ATLAS"].read(world.file("broken.edi").place)
    )


def test_a_file_of_very_many_receipts_is_shown_in_part(peopled: Stage, sign_in: SignIn) -> None:
    peopled.drop("ATLAS", "many.edi", content(1, 205))
    page = sign_in("vera").get(f"/files/{peopled.file('many.edi').id}").text
    assert page.count("<p>Receipt <bdi>W") == 200
    words = text_of(page)
    assert "These are the first 200. gateway trace" in words
    assert "These are the newest 200. gateway trace" in words
    assert "many.edi: applied" in words


def test_a_replay_is_tried_without_effect(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    file = next(f for f in filled.files() if f.direction == "in" and f.outcome == "applied")
    before = len(filled.effects(77000001))
    page = text_of(client.post(f"/files/{file.id}/replay", data={"form_key": form_key(client), "dry_run": "yes"}).text)
    assert "Nothing has happened" in page
    assert "0 new effects" in page
    assert len(filled.effects(77000001)) == before


def test_a_receipt_is_corrected_with_its_reason(filled: Stage, sign_in: SignIn) -> None:
    client = sign_in("otto")
    receipt = next(r for r in filled.receipts() if r.document.receipt_no == "WR5503")
    data = {"form_key": form_key(client), "rma": "77000003", "sku": ["TEE-BLK-M", "HOOD-GRY-M"], "good": ["1", "0"], "second": ["0", "1"]}
    assert client.post(f"/receipts/{receipt.id}/correct", data=data).status_code == 409
    assert client.post(f"/receipts/{receipt.id}/correct", data=data | {"reason": "counted again"}).status_code == 303
    told = text_of(client.get("/returns/77000003").text)
    assert "HOOD-GRY-M 1 good → TEE-BLK-M 1 good, HOOD-GRY-M 0 good 1 second (counted again)" in told


def test_month_end_is_one_report_on_screen_and_to_keep(visit: SignIn) -> None:
    client = visit("fina")
    assert "140.40" in client.get("/reports/month-end").text
    for form, start in (("csv", b""), ("xlsx", b"PK"), ("json", b"{")):
        answer = client.get(f"/reports/month-end?form={form}")
        assert answer.data.startswith(start)
        assert answer.headers["Content-Disposition"] == f'attachment; filename="month-end.{form}"'
    assert client.get("/reports/month-end?from=never").status_code == 409


def test_a_return_says_where_its_figures_come_from_and_is_handed_on_whole(visit: SignIn) -> None:
    page = text_of(visit("vera").get("/returns/77000001/where-from").text)
    assert "RA77000001 HOOD-GRY-M good 1" in page
    assert "ATLAS_944_1001.edi" in page
    assert "credit" not in page
    assert visit("otto").get("/returns/77000001/bundle").data.startswith(b"PK")
    assert visit("vera").get("/returns/77000001/bundle").status_code == 403


def test_money_is_shown_to_those_who_may_see_it(world: Stage, visit: SignIn) -> None:
    assert "CI-6100001)" in visit("fina").get("/returns/77000001").text
    assert 'id="money"' not in visit("vera").get("/returns/77000001").text


def test_the_settings_page_shows_no_secret(world: Stage, visit: SignIn) -> None:
    page = visit("anna").get("/settings").text
    assert world.simulator.loop_key not in page
    assert "env:GATEWAY_LOOP_API_KEY (set)" in text_of(page)
    assert "hold together" in page


def test_what_is_not_there_is_said_in_words(world: Stage, visit: SignIn) -> None:
    client = visit("vera")
    for path, words in (("/returns/999", "not in the book"), ("/files/999", "no file 999"), ("/partners/NOBODY", "no partner NOBODY")):
        answer = client.get(path)
        assert (answer.status_code, words in answer.text) == (404, True), path


def test_a_list_is_paged_without_gap_or_repeat(peopled: Stage, sign_in: SignIn) -> None:
    with database.writing(peopled.ctx.engine) as connection:
        for number in range(120):
            events.note(connection, "x", f"event-{number:03d}", at=peopled.ctx.now())
    client, path, seen = sign_in("vera"), "/audit", []
    while path:
        page = client.get(path).text
        seen += re.findall(r"event-\d{3}", page)
        more = re.search(r'class="more"><a href="(\?[^"]+)"', page)
        path = "/audit" + more[1] if more else ""
    assert seen == [f"event-{number:03d}" for number in range(119, -1, -1)]


def test_no_lookup_of_the_box_reads_a_whole_table(stage: Stage) -> None:
    statements: list[tuple[str, object]] = []

    def keep(_connection: object, _cursor: object, statement: str, parameters: object, _context: object, _many: object) -> None:
        statements.append((statement, parameters))

    event.listen(stage.ctx.engine, "before_cursor_execute", keep)
    with database.reading(stage.ctx.engine) as connection:
        assert cases.find(connection, "1Z999") == []
        event.remove(stage.ctx.engine, "before_cursor_execute", keep)
        plans = [str(row[3]) for told in statements for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + told[0], told[1])]  # type: ignore[arg-type]  # as the driver was given them
    assert len(plans) > 8
    assert [plan for plan in plans if plan.startswith("SCAN")] == []
