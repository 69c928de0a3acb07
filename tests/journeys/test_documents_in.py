"""R-074 to R-084, R-130 to R-133: receipts in every format a profile can name, our answers, and files that are good only in part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from gateway.edi import edifact
from gateway.simulator.partner import read_x12
from tests.journeys.steps import announce
from tests.stage import Stage

ATLAS, RECEIPT = "mappings/atlas.toml", "[receive.x12_receipt]"
EDIFACT = """
[edifact]
partner_id = "4012345000016"
partner_qualifier = "14"
our_id = "HARBORPINE"
our_qualifier = "ZZ"
"""
RECADV = EDIFACT + '\n[receive.recadv]\ndamaged_quantity = "included"\n'
X861 = '[receive.x12_861]\ndamaged_quantity = "on_top"\n'
TEE, HOOD, CAP = "TEE-BLK-M", "HOOD-GRY-M", "CAP-NVY-OS"


def taking(part: str, *more: tuple[str, str, str]) -> tuple[tuple[str, str, str], ...]:
    """Edits by which ATLAS may send something else too."""
    return ((ATLAS, RECEIPT, f"{part}\n{RECEIPT}"), *more)


def x12_file(
    kind: str, sets: Sequence[tuple[str, Sequence[str]]], *, number: int = 1, ask: int = 0, version: str = "004010", sender: str = "ATLAS3PL"
) -> bytes:
    """An X12 file of sets, each (set id, segments)."""
    eleven, twelve = ("U", "00401") if version == "004010" else ("^", "00501")
    lines = [f"ISA*00*          *00*          *ZZ*{sender:<15}*ZZ*HARBORPINE     *261123*1612*{eleven}*{twelve}*{number:09d}*{ask}*P*>"]
    lines.append(f"GS*{kind}*{sender}*HARBORPINE*20261123*1612*{number}*X*{version}")
    for place, (set_id, body) in enumerate(sets, 1):
        lines += [f"ST*{set_id}*{place:04d}", *body, f"SE*{len(body) + 2}*{place:04d}"]
    return ("~\n".join([*lines, f"GE*{len(sets)}*{number}", f"IEA*1*{number:09d}"]) + "~\n").encode()


def the_861(ra: str, *lines: tuple[str, str], receipt: str = "WR861") -> tuple[str, list[str]]:
    """An 861 for an RA; each line is what stands behind RCD*n and the item."""
    body = [f"BRA*{receipt}*20261123*00*2", f"REF*RZ*{ra}", "DTM*050*20261123", "REF*ZZ*FINAL"]
    body[2], body[3] = body[3], body[2]
    for place, (counts, sku) in enumerate(lines, 1):
        body += [f"RCD*{place}*{counts}", f"LIN*{place}*SK*{sku}"]
    return "861", [*body, f"CTT*{len(lines)}"]


def edifact_file(
    messages: Sequence[tuple[str, Sequence[str]]], *, number: int = 1, test: bool = False, ask: bool = False, sender: str = "4012345000016"
) -> bytes:
    """An EDIFACT file of messages, each (type, segments)."""
    head = f"UNB+UNOC:3+{sender}:14+HARBORPINE:ZZ+261123:1612+{number}++++{'1' if ask else ''}++{'1' if test else ''}".rstrip("+")
    lines = ["UNA:+.? ", head]
    for place, (kind, body) in enumerate(messages, 1):
        lines += [f"UNH+{place}+{kind}:D:96A:UN", *body, f"UNT+{len(body) + 2}+{place}"]
    return ("'\r\n".join([*lines, f"UNZ+{len(messages)}+{number}"]) + "'\r\n").encode()


def the_recadv(ra: str, *lines: Sequence[str], receipt: str = "WR632", final: bool = True) -> tuple[str, list[str]]:
    """A RECADV for an RA; each line is its item number and its QTY and other segments."""
    body = [f"BGM+632+{receipt}+9", "DTM+50:20261123:102", f"RFF+ALQ:{ra}", *(["RFF+ZZZ:FINAL"] if final else []), "NAD+SU+HARBORPINE::92", "CPS+1"]
    for place, (sku, *rest) in enumerate(lines, 1):
        body += [f"LIN+{place}++{sku}:SA", *rest]
    return "RECADV", [*body, f"CNT+2:{len(lines)}"]


def answers(stage: Stage, kind: str) -> list[list[list[str]]]:
    """The segments of our X12 answers of a kind."""
    files = [path.read_bytes() for path in stage.outbox("ATLAS")]
    return [segments for content in files for group in read_x12(content) for set_id, _, segments in group.sets if set_id == kind]


def edifact_answers(stage: Stage, kind: str) -> list[list[edifact.Segment]]:
    """The segments of our EDIFACT answers of a kind."""
    files = [path.read_bytes() for path in stage.outbox("ATLAS")]
    events = [event for content in files for event in edifact.read_messages([content])]
    return [event.segments for event in events if isinstance(event, edifact.Message) and event.message_type == kind]


def test_an_861_in_full_is_processed_and_answered(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(X861))
    announce(stage, 77000001)
    stage.drop("ATLAS", "r.edi", x12_file("RC", [the_861("RA77000001", ("2*EA", TEE), ("1*EA", HOOD))]))
    assert stage.file("r.edi").outcome == "applied"
    assert stage.lines("RA77000001") == {TEE: (2, 2, 0, 0), HOOD: (1, 1, 0, 0)}
    assert stage.calls("process", 77000001) == 1
    ((*_, ak9, _se),) = answers(stage, "997")
    assert ak9 == ["AK9", "A", "1", "1", "1"]


@pytest.mark.parametrize(("sense", "expected"), [("included", (3, 2, 1, 0)), ("on_top", (3, 3, 1, 0))])
def test_a074_three_received_with_one_damaged_is_read_by_the_partners_sense(
    make_stage: Callable[..., Stage], sense: str, expected: tuple[int, ...]
) -> None:
    """The figures of A-074 in an 861 and in a RECADV; the 944 has them in `test_damaged`."""
    edits = taking(X861.replace("on_top", sense) + RECADV.replace("included", sense))
    stage = make_stage(edits=edits)
    for number, name, content in (
        (1, "r.edi", x12_file("RC", [the_861("RA1", ("3*EA***1*EA*01", TEE), receipt="A1")])),
        (2, "e.edi", edifact_file([the_recadv("RA1", (TEE, "QTY+48:3", "QTY+124:1"), receipt="A2")])),
    ):
        stage.drop("ATLAS", name, content)
        (line,) = stage.receipts()[number - 1].document.lines
        assert (3, line.good, line.second, line.missing) == expected


def test_a_recadv_in_full_is_processed_and_answered_by_contrl(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(RECADV))
    announce(stage, 77000001)
    stage.drop("ATLAS", "r.edi", edifact_file([the_recadv("RA77000001", (TEE, "QTY+48:2"), (HOOD, "QTY+48:1"))], number=2207))
    assert (stage.file("r.edi").outcome, stage.file("r.edi").control) == ("applied", "2207")
    assert stage.calls("process", 77000001) == 1
    (segments,) = edifact_answers(stage, "CONTRL")
    assert segments[1].elements == [["2207"], ["4012345000016", "14"], ["HARBORPINE", "ZZ"], ["7"]]
    assert len(segments) == 3


def test_a_recadv_says_second_quality_and_the_return_is_flagged(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(RECADV))
    announce(stage, 77000004)
    stage.drop("ATLAS", "r.edi", edifact_file([the_recadv("RA77000004", (HOOD, "QTY+12:1", "QTY+48:1", "CDI+1+4"))]))
    assert stage.lines("RA77000004") == {HOOD: (1, 0, 1, 0)}
    assert (stage.calls("process", 77000004), stage.calls("flag", 77000004)) == (0, 1)


def test_an_edifact_file_of_a_stranger_a_test_and_a_used_number_are_put_aside(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(RECADV))
    announce(stage, 77000001)
    good = the_recadv("RA77000001", (TEE, "QTY+48:1"), final=False)
    stage.drop("ATLAS", "stranger.edi", edifact_file([good], sender="9999"))
    stage.drop("ATLAS", "test.edi", edifact_file([good], test=True))
    stage.drop("ATLAS", "first.edi", edifact_file([good]))
    stage.drop("ATLAS", "again.edi", edifact_file([the_recadv("RA77000001", (TEE, "QTY+48:2"))]))
    assert [stage.file(f"{name}.edi").outcome for name in ("stranger", "test", "first", "again")] == ["error", "quarantine", "applied", "held"]
    assert "edifact.partner_id" in stage.side_file("stranger.edi")
    assert "marked test (UNB 0035 T)" in stage.side_file("test.edi", area="quarantine")
    assert stage.lines("RA77000001")[TEE] == (2, 1, 0, 0)


def test_a_faulty_message_is_rejected_by_contrl_and_the_good_one_applied(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(RECADV))
    announce(stage, 77000001)
    announce(stage, 77000004)
    good = the_recadv("RA77000001", (TEE, "QTY+48:2"), (HOOD, "QTY+48:1"))
    bad = the_recadv("RA77000004", (HOOD, "QTY+48:1O"), receipt="WR2")
    stage.drop("ATLAS", "r.edi", edifact_file([good, bad]))
    assert stage.file("r.edi").outcome == "partial"
    assert (stage.calls("process", 77000001), stage.calls("process", 77000004)) == (1, 0)
    (contrl,) = edifact_answers(stage, "CONTRL")
    assert [s.tag for s in contrl[1:-1]] == ["UCI", "UCM", "UCS", "UCD"]
    assert contrl[2].elements[0] == ["2"]
    side = stage.side_file("r.edi")
    assert side.splitlines()[0].startswith("message 2 (RECADV 2), segment 9 (QTY), element 01 component 2, line 24, byte ")
    rest = (stage.folder / "var" / "error" / "ATLAS" / "r.edi.to-correct.edi").read_bytes()
    assert b"RA77000001" not in rest
    stage.drop("ATLAS", "corrected.edi", rest.replace(b"1O", b"1"))
    assert (stage.file("corrected.edi").outcome, stage.calls("process", 77000004)) == ("applied", 1)


@pytest.mark.parametrize("terminator", ["~\n", "~", "\n", "\r\n"])
def test_the_bad_sets_of_several_groups_come_back_in_a_file_that_can_be_dropped_again(make_stage: Callable[..., Stage], terminator: str) -> None:
    stage = make_stage(edits=taking(X861))
    for rma in (77000001, 77000003, 77000004):
        announce(stage, rma)
    good, bad = the_861("RA77000001", ("2*EA", TEE), ("1*EA", HOOD)), the_861("RA77000004", ("1*CT", HOOD), receipt="WR2")
    also = the_861("RA77000003", ("1*CT", TEE), ("1*EA", HOOD), ("1*EA", CAP), receipt="WR3")
    lines = x12_file("RC", [good, bad], number=5).decode().split("~\n")[:-1]
    second = [line.replace("*5*X*", "*6*X*").replace("GE*1*5", "GE*1*6") for line in x12_file("RC", [also], number=5).decode().split("~\n")[1:-2]]
    whole = terminator.join([*lines[:-1], *second, lines[-1].replace("IEA*1", "IEA*2")]) + terminator
    stage.drop("ATLAS", "r.edi", whole.encode())
    assert (stage.file("r.edi").outcome, stage.calls("process", 77000001)) == ("partial", 1)
    rest = (stage.folder / "var" / "error" / "ATLAS" / "r.edi.to-correct.edi").read_bytes()
    assert rest.count(b"ST*861") == 2
    assert b"RA77000001" not in rest
    stage.drop("ATLAS", "corrected.edi", rest.replace(b"*CT", b"*EA"))
    assert stage.file("corrected.edi").outcome == "applied"
    assert [stage.calls("process", rma) for rma in (77000001, 77000003, 77000004)] == [1, 1, 1]
    stage.drop("ATLAS", "other.edi", x12_file("RC", [the_861("RA77000004", ("1*EA", HOOD), receipt="WR9")], number=5))
    assert stage.file("other.edi").outcome == "held"


def test_a_cut_edifact_file_waits_as_incomplete(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(RECADV))
    content = edifact_file([the_recadv("RA77000001", (TEE, "QTY+48:2"))])
    stage.drop("ATLAS", "cut.edi", content[:-20])
    assert [task["subject"] for task in stage.tasks("incomplete file")] == ["ATLAS cut.edi"]
    (stage.folder / "inbox" / "ATLAS" / "cut.edi").write_bytes(content)
    stage.take()
    assert stage.file("cut.edi").outcome == "applied"


def test_a_wrong_unz_undoes_the_interchange_and_is_told_by_contrl(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(RECADV))
    announce(stage, 77000001)
    stage.drop("ATLAS", "r.edi", edifact_file([the_recadv("RA77000001", (TEE, "QTY+48:2"), (HOOD, "QTY+48:1"))]).replace(b"UNZ+1", b"UNZ+3"))
    assert stage.file("r.edi").outcome == "error"
    assert (stage.receipts(), stage.calls("process", 77000001)) == ([], 0)
    (contrl,) = edifact_answers(stage, "CONTRL")
    assert [e[0] for e in contrl[1].elements[3:]] == ["4", "29"]


def test_a_business_fault_goes_into_an_824_and_never_into_a_997(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(X861, (ATLAS, "acknowledge = true", "acknowledge = true\nadvise = true")))
    announce(stage, 77000001)
    sets = [the_861("RA77000001", ("2*EA", TEE), ("1*EA", HOOD)), the_861("RA77000001", ("2*CT", TEE), receipt="WR2")]
    stage.drop("ATLAS", "r.edi", x12_file("RC", sets, number=31))
    assert stage.file("r.edi").outcome == "partial"
    ((*_, ak9, _se),) = answers(stage, "997")
    assert ak9 == ["AK9", "A", "2", "2", "2"]
    (advice,) = answers(stage, "824")
    assert next(s for s in advice if s[0] == "OTI")[1:] == ["TR", "TN", "0002", "", "", "", "", "31", "0002", "861", "004010"]
    ted = next(s for s in advice if s[0] == "TED")
    assert (ted[1], ted[3:6], ted[7]) == ("848", ["RCD", "6", "3"], "CT")
    assert "the unit 'CT'" in ted[2]


def test_a_business_fault_of_a_recadv_goes_into_an_aperak(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(RECADV, (ATLAS, "acknowledge = true", "acknowledge = true\nadvise = true")))
    stage.drop("ATLAS", "r.edi", edifact_file([the_recadv("RA77000001", (TEE, "QTY+48:2:CT"))]))
    assert [e[0] for e in edifact_answers(stage, "CONTRL")[0][1].elements[3:]] == ["7"]
    (aperak,) = edifact_answers(stage, "APERAK")
    assert next(s.elements for s in aperak if s.tag == "RFF") == [["ACW", "WR632"]]
    assert "the unit 'CT'" in "".join(next(s for s in aperak if s.tag == "FTX").components(4))


@pytest.mark.parametrize("wanted", ["faults", "requested"])
def test_a_ta1_that_isa14_asks_for_is_written_by_profile(make_stage: Callable[..., Stage], wanted: str) -> None:
    stage = make_stage(edits=taking(X861, (ATLAS, "acknowledge = true", f'acknowledge = true\nta1 = "{wanted}"')))
    stage.drop("ATLAS", "r.edi", x12_file("RC", [the_861("RA1", ("2*EA", TEE))], ask=1, number=7))
    written = [line for path in stage.outbox("ATLAS") for line in path.read_text().splitlines() if line.startswith("TA1")]
    assert written == (["TA1*000000007*261123*1612*A*000~"] if wanted == "requested" else [])
    assert len(answers(stage, "997")) == 1


def test_a_999_is_written_where_the_profile_says_so(make_stage: Callable[..., Stage]) -> None:
    edits = (
        (ATLAS, "acknowledge = true", 'acknowledge = true\nacknowledge_with = "999"'),
        (ATLAS, 'version = "004010"', 'version = "005010"'),
    )
    stage = make_stage(edits=edits)
    body = ["W17*C*20261341*WR1*RA77000001", "N1*WH*NJ*92*NJ1", "LX*1", "W07*2*EA**SK*TEE-BLK-M", "W14*2"]
    stage.drop("ATLAS", "r.edi", x12_file("RE", [("944", body)], version="005010"))
    assert answers(stage, "997") == []
    (segments,) = answers(stage, "999")
    assert segments[1] == ["AK1", "RE", "1", "005010"]
    assert [s[0] for s in segments] == ["ST", "AK1", "AK2", "IK3", "CTX", "IK4", "IK5", "AK9", "SE"]
    assert segments[4] == ["CTX", "W1704>RA77000001"]


def test_answers_of_partners_are_never_answered(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=taking(RECADV))
    contrl = ("CONTRL", ["UCI+999+HARBORPINE:ZZ+4012345000016:14+7"])
    stage.drop("ATLAS", "c.edi", edifact_file([contrl]).replace(b"D:96A:UN", b"D:3:UN"))
    stage.drop("ATLAS", "a.edi", x12_file("ZZ", [("997", ["AK1*SH*77", "AK9*A*1*1*1"])]))
    assert [stage.file(name).outcome for name in ("c.edi", "a.edi")] == ["applied", "applied"]
    assert stage.outbox("ATLAS") == []
    assert "nothing was sent under this reference" in stage.file("c.edi").reason


S846 = ["BIA*00*SI*S1*20261123", "LIN*1*SK*TEE-BLK-M", "QTY*33*9*EA", "QTY*QH*1*EA", "CTT*1"]
STOCK = [
    ("846", x12_file("IB", [("846", S846)]), [("snapshot", "good", 9), ("snapshot", "second", 1)]),
    ("947", x12_file("AW", [("947", ["W15*20261123*A1*A1", "N1*WH*NJ*92*NJ", "W19*AC*-1*EA**SK*TEE-BLK-M"])]), [("adjustment", "", -1)]),
    ("INVRPT", edifact_file([("INVRPT", ["BGM+35+S2+9", "DTM+137:20261123:102", "NAD+SU+A::92", "LIN+1++840000100023:UP", "QTY+145:9", "INV++1"])]), [("snapshot", "good", 9)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "kept"), STOCK, ids=[s[0] for s in STOCK])
def test_a_stock_report_is_kept_and_books_nothing(make_stage: Callable[..., Stage], name: str, content: bytes, kept: list[object]) -> None:
    from gateway.store import database, partner_stock

    stage = make_stage(edits=taking(RECADV + "[receive.stock]\n"))
    stage.drop("ATLAS", "s.edi", content)
    assert stage.file("s.edi").outcome == "applied"
    with database.reading(stage.ctx.engine) as connection:
        rows = [row for kind in ("snapshot", "adjustment") for row in partner_stock.list_counts(connection, partner="ATLAS", kind=kind)]
    assert [(row["kind"], row["quality"], row["quantity"]) for row in rows] == kept
    assert {row["sku"] for row in rows} == {TEE}
    assert (stage.stock("NJ1", TEE), stage.receipts()) == (10, [])
