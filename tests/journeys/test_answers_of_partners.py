"""R-131, R-133: what a partner says of a document of ours is shown at its RA, by the control numbers it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.simulator.partner_files import Acknowledged, make_997
from tests.journeys.steps import announce
from tests.journeys.test_acknowledgements import BATCH
from tests.journeys.test_documents_in import edifact_file, x12_file
from tests.journeys.test_documents_out import EDIFACT, sending
from tests.stage import Stage

THREE = (77000001, 77000003, 77000004)


def states(stage: Stage) -> list[str]:
    """The acknowledgement of each RA's newest document."""
    return [stage.documents(f"RA{rma}")[-1]["acknowledgement"] for rma in THREE]


def three_in_one(make_stage: Callable[..., Stage], *edits: tuple[str, str, str]) -> tuple[Stage, Path]:
    """Three RAs sent in one file."""
    from gateway.simulator.world import open_known_return

    stage = make_stage(edits=edits)
    for rma in THREE:
        open_known_return(stage.world, rma)
    stage.import_rmas()
    (path,) = stage.outbox("ATLAS")
    return stage, path


def edifact_three(make_stage: Callable[..., Stage]) -> Stage:
    """Three RAs sent in one EDIFACT interchange, number 451."""
    more = EDIFACT.format(version="D:96A:UN") + "first_control = 451"
    edits = sending("desadv", more=more)
    return three_in_one(make_stage, *edits, ("mappings/atlas.toml", 'document = "desadv"', 'document = "desadv"\nbatch = 10'))[0]


def contrl(*segments: str, number: int = 1) -> bytes:
    """A CONTRL of the partner."""
    return edifact_file([("CONTRL", segments)], number=number, sender="5790000120420").replace(b"CONTRL:D:96A:UN", b"CONTRL:D:3:UN")


def test_a_999_is_read_like_a_997(make_stage: Callable[..., Stage]) -> None:
    stage, _ = three_in_one(make_stage, *BATCH)
    body = [
        "AK1*SH*1*005010",
        "AK2*856*0001",
        "IK5*A",
        "AK2*856*0002",
        "IK3*BSN*2**8",
        "IK4*2*396*5*RA1",
        "IK5*R*5",
        "AK2*856*0003",
        "IK5*E",
        "AK9*P*3*3*2",
    ]
    stage.drop("ATLAS", "ack.edi", x12_file("FA", [("999", body)], version="005010"))
    assert states(stage) == ["accepted", "rejected", "accepted with errors"]
    (task,) = stage.tasks("rejected by partner")
    assert "Segment 2 (BSN), element 02 (Shipment Identification" in task["text"]


def test_a_group_accepted_in_part_without_saying_which_is_asked_about(make_stage: Callable[..., Stage]) -> None:
    stage, _ = three_in_one(make_stage, *BATCH)
    sets = tuple(("856", f"000{n}", "A") for n in (1, 2, 3))
    stage.drop("ATLAS", "ack.edi", make_997(Acknowledged("SH", "1", sets, result="P", brief=True), number=1))
    assert states(stage) == ["awaiting"] * 3
    assert [task["subject"] for task in stage.tasks("unclear acknowledgement")] == ["ATLAS 1"]


def test_a_ta1_that_rejects_is_told_at_every_ra_of_the_file(make_stage: Callable[..., Stage]) -> None:
    stage, _ = three_in_one(make_stage, *BATCH)
    isa = b"ISA*00*          *00*          *ZZ*ATLAS3PL       *ZZ*HARBORPINE     *261123*1612*U*00401*000000009*0*P*>~\n"
    stage.drop("ATLAS", "ta1.edi", isa + b"TA1*000000001*261123*1612*R*009~\nIEA*0*000000009~\n")
    assert states(stage) == ["rejected"] * 3
    assert "009" in stage.documents("RA77000003")[0]["reason"]
    assert len(stage.tasks("rejected by partner")) == 3
    assert len(stage.outbox("ATLAS")) == 1


def test_an_824_links_its_reject_to_the_ra_with_the_reason_in_words(make_stage: Callable[..., Stage]) -> None:
    stage, _ = three_in_one(make_stage, *BATCH)
    stage.drop("ATLAS", "ack.edi", make_997(Acknowledged("SH", "1", tuple(("856", f"000{n}", "A") for n in (1, 2, 3))), number=1))
    body = [
        "BGN*00*77*20261123",
        "OTI*TR*TN*0002***20261123*1612*1*2*856*004010",
        "TED*Q*SKU NOT ON FILE*LIN*14*3*234*CAP-NVY-OS",
        "NTE*ERN*PLEASE SEND ITEM MASTER",
    ]
    other = ["OTI*TA*TN*0001***20261123*1612*1*1*856*004010", "OTI*TR*RZ*RA99***20261123*1612*55*1*856*004010", "TED*011*RA NOT KNOWN"]
    stage.drop("ATLAS", "advice.edi", x12_file("AG", [("824", [*body, *other])], number=2))
    assert states(stage) == ["accepted", "rejected", "accepted"]
    (task,) = stage.tasks("rejected by partner")
    assert task["subject"] == "RA77000003"
    assert "SKU NOT ON FILE, found 'CAP-NVY-OS' (PLEASE SEND ITEM MASTER)" in task["text"]
    (unknown,) = stage.tasks("business reject")
    assert "RA99" in unknown["text"]


CONTRLS = [
    (["UCI+451+HARBORPINE:ZZ+5790000120420:14+7"], ["accepted"] * 3),
    (["UCI+451+HARBORPINE:ZZ+5790000120420:14+8"], ["awaiting"] * 3),
    (["UCI+451+HARBORPINE:ZZ+5790000120420:14+4+26"], ["rejected"] * 3),
    (["UCI+451+HARBORPINE:ZZ+5790000120420:14+7", "UCM+0002+DESADV:D:96A:UN+4+29"], ["accepted", "rejected", "accepted"]),
]


@pytest.mark.parametrize(("segments", "expected"), CONTRLS, ids=["accepted", "arrived", "rejected", "one rejected"])
def test_a_contrl_is_told_at_each_ra(make_stage: Callable[..., Stage], segments: list[str], expected: list[str]) -> None:
    stage = edifact_three(make_stage)
    stage.drop("ATLAS", "c.edi", contrl(*segments))
    assert states(stage) == expected
    assert len(stage.tasks("rejected by partner")) == expected.count("rejected")
    assert len(stage.outbox("ATLAS")) == 1


def test_a_later_rejection_wins_over_an_earlier_acceptance(make_stage: Callable[..., Stage]) -> None:
    stage = edifact_three(make_stage)
    for number, action in ((1, "7"), (2, "4+26"), (3, "7")):
        stage.drop("ATLAS", f"c{number}.edi", contrl(f"UCI+451+HARBORPINE:ZZ+5790000120420:14+{action}", number=number))
    assert states(stage) == ["rejected"] * 3
    assert "information" in stage.file("c3.edi").reason


def test_an_aperak_that_rejects_is_linked_by_the_number_it_names(make_stage: Callable[..., Stage]) -> None:
    stage = edifact_three(make_stage)
    body = ["BGM+313+A1+9", "DTM+137:20261123:102", "RFF+ACW:RA77000003", "ERC+12", "FTX+AAO+++ITEM NOT ON FILE"]
    stage.drop("ATLAS", "a.edi", edifact_file([("APERAK", body)], sender="5790000120420"))
    assert states(stage) == ["awaiting", "rejected", "awaiting"]
    assert "ITEM NOT ON FILE" in stage.tasks("rejected by partner")[0]["text"]
    assert len(stage.outbox("ATLAS")) == 2  # the DESADV, and the CONTRL that answers the APERAK


def test_a_cancelled_document_and_its_original_are_acknowledged_apart(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=sending("943"))
    announce(stage, 77000004)
    stage.world.cancel(77000004)
    stage.wait(1)
    stage.import_rmas()
    stage.drop("ATLAS", "ack.edi", make_997(Acknowledged("AR", "2", (("943", "0001", "R:5"),)), number=1))
    assert [row["acknowledgement"] for row in stage.documents("RA77000004")] == ["awaiting", "rejected"]
