"""A return tells its story, and the book proves itself."""

from __future__ import annotations

from gateway.simulator.partner import Receipt
from gateway.simulator.world import open_known_return
from gateway.store import database
from gateway.views import cases, health
from tests.stage import Stage


def live(stage: Stage) -> None:
    """A-001, whole."""
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    stage.partners_answer()
    stage.loop_finishes()
    stage.import_refunds()
    stage.job("ShopifyExportInventory")


def test_a120_the_timeline_has_every_step_in_order(stage: Stage) -> None:
    live(stage)
    with database.reading(stage.ctx.engine) as connection:
        words = [e["word"] for e in cases.timeline(connection, "77000001")]
    wanted = [
        "return.created",
        "ra.made",
        "effect.confirmed",
        "document.sent",
        "acknowledgement.accepted",
        "receipt.taken",
        "ra.received",
        "return.process-requested",
        "return.closed",
        "refund.imported",
        "stock.posted",
        "invoice.made",
        "stock.exported",
    ]
    places = []
    for word in wanted:
        places.append(words.index(word, places[-1] + 1 if places else 0))
    assert places == sorted(places)


def test_a140_it_explains_a_flag_with_file_numbers_value_and_rule(stage: Stage) -> None:
    open_known_return(stage.world, 77000003)
    stage.atlas.script = {"77000003": Receipt(lines=[("TEE-BLK-M", 1), ("HOOD-GRY-M", 1), ("CAP-NVY-OS", 0)], final=True)}
    stage.import_rmas()
    stage.partners_answer()
    with database.reading(stage.ctx.engine) as connection:
        said = " ".join(cases.explain(connection, "77000003"))
    file = next(f for f in stage.files() if "944" in f.name)
    assert f"Receipt WR5503 (file {file.name}, set 1 (944 0001))" in said
    assert 'flagged under the rule "short → flag", because 2 of 3 units came: CAP-NVY-OS short 1 of 1, value 27.00' in said


def test_verify_names_an_archived_file_that_was_changed(stage: Stage) -> None:
    live(stage)
    file = next(f for f in stage.files() if "944" in f.name)
    path = stage.folder / "var" / file.place
    path.write_bytes(path.read_bytes() + b" ")
    assert any(f"file {file.id} {file.name}: changed in the archive" in text for text in health.verify(stage.ctx.engine, stage.ctx.folders))
    path.unlink()
    assert any(f"file {file.id} {file.name}: not in the archive" in text for text in health.verify(stage.ctx.engine, stage.ctx.folders))


def test_every_identifier_finds_its_return(stage: Stage) -> None:
    live(stage)
    tracking = stage.ra("RA77000001").document.tracking_numbers[0]
    receipt = next(f for f in stage.files() if "944" in f.name)
    with database.reading(stage.ctx.engine) as connection:
        for text in (
            "77000001",
            "RA77000001",
            "#1001",
            "1001",
            "5000001001",
            "6100001",
            tracking,
            "TEE-BLK-M",
            "840000100023",
            "WR5501",
            receipt.name,
        ):
            hits = cases.find(connection, text)
            assert hits, f"{text} finds nothing"
        assert cases.find(connection, "77000001")[0]["kind"] == "return"
        assert cases.find(connection, "no such thing") == []
