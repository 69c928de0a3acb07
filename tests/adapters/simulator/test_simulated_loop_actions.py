"""Loop does what a warehouse asks, later, or says why not with a cheerful status."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.simulator.world import World, open_known_return


def message(response) -> str:
    assert response.status_code == 200
    body = response.json()
    found = body.get("errors", body)
    return found.get("message") or found["content"]


def test_process_is_queued_and_closes_later(returns: World, ask):
    assert ask.act(77000001, "process").json() is True
    assert ask.details(77000001)["state"] == "open"
    before = ask.details(77000001)["updated_at"]
    returns.let_pass(5)
    found = ask.details(77000001)
    assert found["state"] == "closed"
    assert found["updated_at"] >= before
    assert found["refunds"] == [{"gateway": "shopify_payments", "amount": "140.40", "currency": "USD", "provider_refund_id": "6100001"}]
    assert ask.simulator.calls.count("process", 77000001, accepted=True) == 1


def test_the_details_of_a_process_call_become_a_note(returns: World, ask):
    ask.act(77000001, "process", json={"Warehouse receipt": "WR5501", "Lines": 2})
    notes = ask.loop("GET", "/warehouse/return/77000001/notes").json()
    assert [note["content"] for note in notes] == ["Additional Details: Warehouse receipt: WR5501; Lines: 2"]


@pytest.mark.parametrize(
    ("state", "verb", "words"),
    [
        ("closed", "process", "Return is closed and therefore cannot be processed."),
        ("cancelled", "process", "Return is cancelled and therefore cannot be processed."),
        ("review", "process", "Return is review and therefore cannot be processed."),
        ("closed", "flag", "Return is closed and therefore cannot be processed."),
        ("closed", "close", "Return is closed and therefore cannot be processed."),
        ("expired", "cancel", "Return is expired and cannot be processed."),
        ("review", "cancel", "Return is flagged and cannot be processed."),
    ],
)
def test_a_refusal_comes_with_status_200(world: World, ask, state: str, verb: str, words: str):
    world.open_return(77000009, "#1004", [(1, "HOOD-GRY-M")], 501, state=state)
    assert message(ask.act(77000009, verb)) == words
    assert ask.simulator.calls.count(verb, 77000009, accepted=False) == 1


def test_a_closed_return_is_refused_with_a_code(world: World, ask):
    world.open_return(77000009, "#1004", [(1, "HOOD-GRY-M")], 501, state="closed")
    assert ask.act(77000009, "process").json()["errors"]["code"] == "UNPROCESSABLE_RETURN"


def test_an_expired_return_can_be_processed(world: World, ask):
    world.open_return(77000009, "#1004", [(1, "HOOD-GRY-M")], 501, state="expired")
    assert ask.act(77000009, "process").json() is True


def test_flagging_puts_a_return_into_review(returns: World, ask):
    assert ask.act(77000004, "flag").json() is True
    assert ask.details(77000004)["state"] == "review"
    assert ask.act(77000004, "flag").json() is True


def test_a_flagged_return_may_stay_open_and_is_refused_all_the_same(returns: World, ask):
    returns.settings.flag_leaves_open = True
    ask.act(77000004, "flag")
    assert ask.details(77000004)["state"] == "open"
    refused = ask.act(77000004, "process").json()["errors"]
    assert refused == {"message": "Return is open and therefore cannot be processed.", "code": "UNPROCESSABLE_FLAGGED_RETURN"}
    returns.settings.allow_flagged = True
    assert ask.act(77000004, "process").json() is True


def test_close_gives_no_outcome(returns: World, ask):
    assert ask.act(77000004, "close").json() is True
    assert (ask.details(77000004)["state"], returns.refunds) == ("closed", {})


def test_cancel_makes_a_return_void(returns: World, ask):
    assert ask.act(77000004, "cancel").json() is True
    assert ask.details(77000004)["state"] == "cancelled"


def test_a_note_is_kept_as_written(returns: World, ask):
    assert ask.loop("GET", "/warehouse/return/77000001/notes").status_code == 422
    assert ask.loop("GET", "/warehouse/return/77000001/notes").json() is False
    assert ask.act(77000001, "note", json={"content": "RA77000001 at NJ1"}).json() is True
    assert ask.loop("GET", "/warehouse/return/77000001/notes").json()[0]["content"] == "RA77000001 at NJ1"


@pytest.mark.parametrize(("content", "status"), [("x" * 254, 200), ("x" * 255, 422), ("", 422), (None, 422)])
def test_a_note_has_less_than_255_characters(returns: World, ask, content: str | None, status: int):
    assert ask.act(77000001, "note", json={"content": content}).status_code == status


def test_remove_drops_units_and_processes_the_rest(returns: World, ask):
    assert ask.act(77000003, "remove", params={"line_item_id": "830003"}).json() is True
    returns.let_pass(1)
    found = ask.details(77000003)
    assert (found["state"], found["refund"], len(found["line_items"])) == ("closed", "108.00", 2)
    assert returns.refunds[6100003].goods == returns.refunds[6100003].paid
    second = ask.act(77000003, "remove", params={"line_item_id": "830001"})
    assert (second.status_code, second.json()["message"]) == (422, "Return cannot be modified.")


def test_removing_every_unit_cancels(returns: World, ask):
    ask.act(77000004, "remove", params={"line_item_id": "840001"})
    returns.let_pass(1)
    assert (ask.details(77000004)["state"], returns.refunds) == ("cancelled", {})


def test_exchange_units_cannot_be_removed(returns: World, ask):
    refused = ask.act(77000002, "remove", params={"line_item_id": "820001"})
    assert (refused.status_code, refused.json()["message"]) == (422, "There are no line items that qualify for removal")


def test_not_all_units_of_a_mixed_return_can_be_removed(world: World, ask):
    units = [(1, "TEE-BLK-M", {"outcome": "refund"}), (2, "CAP-NVY-OS", {"outcome": "exchange"})]
    world.open_return(77000009, "#1003", units, 501, outcome="exchange+refund", exchanges=["SOCK-WHT-OS"])
    refused = ask.act(77000009, "remove", params={"line_item_id": "1,2"})
    assert refused.json()["message"] == "Not all line items qualify for removal"
    assert ask.act(77000009, "remove", params={"line_item_id": "1"}).json() is True


def test_remove_needs_units_and_a_known_return(returns: World, ask):
    assert ask.act(77000003, "remove").json() == {"error": {"message": "The line item id field is required."}}
    assert ask.act(99, "remove", params={"line_item_id": "1"}).status_code == 403


def test_an_exchange_out_of_stock_ends_in_review(returns: World, ask):
    returns.out_of_stock(77000002)
    ask.act(77000002, "process")
    returns.let_pass(1)
    assert ask.details(77000002)["state"] == "review"
    told = returns.events[-1]
    assert (told.topic, told.payload["return_state"]) == ("return.processing.failed", "review")
    assert (returns.refunds, "EXC-1002" in {order.name for order in returns.orders.values()}) == ({}, False)


def test_after_review_an_item_that_ran_out_is_refunded_instead(returns: World, ask):
    returns.out_of_stock(77000002)
    ask.act(77000002, "process")
    returns.let_pass(1)
    returns.review(77000002)
    found = ask.details(77000002)
    assert (found["state"], found["outcome"], found["refund"], found["exchanges"]) == ("closed", "refund", "129.60", [])
    assert str(returns.refunds[6100002].paid) == "129.60"


def test_ten_processes_at_once_make_one_refund(returns: World, ask):
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: ask.act(77000001, "process").json(), range(10)))
    returns.let_pass(1)
    assert (answers, len(returns.refunds)) == ([True] * 10, 1)


def test_processing_can_fail_once(returns: World, ask):
    returns.fail_processing(77000001, "Refund failed")
    ask.act(77000001, "process")
    returns.let_pass(1)
    assert ask.details(77000001)["state"] == "review"
    returns.review(77000001)
    assert ask.details(77000001)["state"] == "closed"


def test_a_reviewer_removes_a_unit_and_processes_without_restock(returns: World, ask):
    ask.act(77000003, "flag")
    returns.review(77000003, restock=False, remove=[830003])
    refund = returns.refunds[6100003]
    assert [(line.restock_type, line.location_id) for line in refund.lines] == [("NO_RESTOCK", None)] * 2
    assert (str(refund.paid), returns.available("TEE-BLK-M", 7001)) == ("108.00", 10)


def test_a_reviewer_may_reject_or_put_back(returns: World, ask):
    ask.act(77000003, "flag")
    returns.to_open(77000003)
    assert ask.details(77000003)["state"] == "open"
    returns.review(77000003, process=False)
    assert (ask.details(77000003)["state"], returns.refunds) == ("closed", {})


def test_an_edit_changes_the_units_and_says_when(returns: World, ask):
    assert ask.details(77000003)["edited_at"] is None
    returns.edit(77000003, remove=[830003], add=[(830004, "CAP-NVY-OS")])
    found = ask.details(77000003)
    assert [line["line_item_id"] for line in found["line_items"]] == [830001, 830002, 830004]
    assert found["edited_at"] is not None


def test_grades_and_dispositions_are_recorded(returns: World, ask):
    item = {"line_item_id": 840001, "description": "Stain", "condition_category": "grade_c"}
    assert ask.loop("POST", "/dispositioning/grade", json={"items": [item]}).json() == [item]
    sold = {"line_item_id": 840001, "disposition_outcome": "resale_hold"}
    assert ask.loop("POST", "/dispositioning/assess", json={"items": [sold]}).status_code == 200
    line = ask.details(77000004)["line_items"][0]
    assert line["condition"]["condition_category"] == "grade_c"
    assert line["disposition"]["disposition_outcome"] == "resale_hold"
    assert ask.details(77000004)["state"] == "open"


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{"line_item_id": 1, "description": "x"}],
        [{"line_item_id": 840001, "description": "x", "condition_category": "bad"}],
        [{"line_item_id": 840001, "description": "x"}] * 31,
    ],
)
def test_grades_that_do_not_fit_are_refused(returns: World, ask, items: list):
    assert ask.loop("POST", "/dispositioning/grade", json={"items": items}).status_code == 422


def test_two_process_calls_on_a_queued_return_make_one_refund(world: World, ask):
    open_known_return(world, 77000001)
    assert [ask.act(77000001, "process").json() for _ in range(2)] == [True, True]
    world.let_pass(1)
    assert (len(world.refunds), ask.simulator.calls.count("process", accepted=True)) == (1, 2)
