"""Notes in Loop: short enough, telling, and never twice."""

from __future__ import annotations

from tests.journeys.steps import announce, come_back
from tests.stage import Stage


def test_a_note_about_many_lines_names_ra_and_receipt_and_says_how_many_facts_it_leaves_out(stage: Stage) -> None:
    skus = [f"SHOE-BLACK-{n:02d}" for n in range(30)]
    for place, sku in enumerate(skus):
        stage.world.add_item(sku, f"8400002{place:05d}", "10.00")
    items = stage.folder / "mappings" / "items.csv"
    items.write_text(items.read_text() + "".join(f"{sku},,Shoe\n" for sku in skus))
    stage.reopen()
    stage.world.add_order(5000001077, "#1077", [(sku, 1) for sku in skus])
    stage.world.open_return(77000077, "#1077", [(770100 + n, sku) for n, sku in enumerate(skus)], 501)
    stage.import_rmas()
    stage.receive("RA77000077", [(skus[0], 1)], receipt_no="WR77", final=True)
    made, flagged = stage.notes(77000077)
    assert made.startswith("RA77000077 made for NJ1")
    assert flagged.startswith("RA77000077 receipt WR77")
    assert max(len(made), len(flagged)) <= 254
    left = int(flagged.partition("; and ")[2].split()[0])
    assert flagged.count(" short 1 of 1") + left == 29


def test_a_note_is_read_back_before_it_is_tried_again(stage: Stage) -> None:
    stage.simulator.faults.add("status", service="loop", match="note", status=429)
    announce(stage, 77000004)
    (effect,) = stage.effects(77000004)
    assert (effect.state.value, effect.attempts) == ("intended", 1)
    stage.world.note(77000004, effect.payload["content"])
    stage.wait(600)
    assert len(stage.notes(77000004)) == 1
    assert stage.effects(77000004)[0].state.value == "confirmed"


def test_a_note_whose_answer_was_lost_is_not_written_twice(stage: Stage) -> None:
    announce(stage, 77000004)
    stage.simulator.faults.add("drop_after_effect", service="loop", match="note")
    come_back(stage, 77000004, ("HOOD-GRY-M", 0, 1))
    for _ in range(3):
        stage.wait(61)
    assert sum("damaged" in note for note in stage.notes(77000004)) == 1
