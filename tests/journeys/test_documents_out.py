"""R-060 to R-068: an RA leaves in each format a profile can name, is read back before it is committed, and its change and cancel follow."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from gateway.edi import edifact, x12
from gateway.simulator.world import open_known_return
from tests.journeys.steps import announce
from tests.stage import Stage

ATLAS, SEND = "mappings/atlas.toml", 'document = "856"\ntemplate = "856.x12.j2"\nfile_name = "{partner}_{document}_{control}.edi"'
EDIFACT = """
[edifact]
partner_id = "5790000120420"
partner_qualifier = "14"
our_id = "HARBORPINE"
our_qualifier = "ZZ"
version = "{version}"
"""
FIXED = """
[send.fixed]
line_length = 80
mark = { start = 1, length = 1 }
marks = { header = "H", line = "D", trailer = "T" }
[send.fixed.header]
ra_number = { start = 2, length = 22 }
warehouse = { start = 24, length = 10 }
[send.fixed.line]
line_no = { start = 2, length = 4, align = "right", fill = "0" }
sku = { start = 6, length = 30 }
quantity = { start = 36, length = 9, align = "right", fill = "0", decimals = 2 }
[send.fixed.trailer]
lines = { start = 2, length = 7, align = "right", fill = "0" }
units = { start = 9, length = 11, align = "right", fill = "0", decimals = 2 }
"""


def sending(document: str, *, more: str = "", old: str = SEND) -> tuple[tuple[str, str, str], ...]:
    """Edits by which ATLAS gets another document."""
    return ((ATLAS, old, f'document = "{document}"'), (ATLAS, "[receive]\n", more + "\n[receive]\n"))


def sent(stage: Stage) -> list[bytes]:
    """What lies in ATLAS's outbox."""
    return [path.read_bytes() for path in stage.outbox("ATLAS")]


def the_set(content: bytes) -> x12.TransactionSet:
    """The one set of a file that has no fault."""
    events = list(x12.read_sets([content]))
    assert [f for event in events for f in getattr(event, "findings", ()) if f.severity == "error"] == []
    (found,) = [event for event in events if isinstance(event, x12.TransactionSet)]
    return found


def the_message(content: bytes) -> edifact.Message:
    """The one message of a file that has no fault."""
    events = list(edifact.read_messages([content]))
    assert [f for event in events for f in getattr(event, "findings", ()) if f.severity == "error"] == []
    (found,) = [event for event in events if isinstance(event, edifact.Message)]
    return found


def segments(document: Any, tag: str) -> list[list[Any]]:
    """The elements of all segments of a kind."""
    return [segment.elements for segment in document.segments if segment.tag == tag]


@pytest.mark.parametrize("version", ["004010", "005010"])
def test_an_ra_goes_out_as_943(make_stage: Callable[..., Stage], version: str) -> None:
    edits = (*sending("943"), (ATLAS, 'version = "004010"', f'version = "{version}"'))
    stage = make_stage(edits=edits)
    announce(stage, 77000001)
    document = the_set(*sent(stage))
    assert (document.set_id, document.group.functional_id) == ("943", "AR")
    assert segments(document, "W06")[0][:4] == ["C", "RA77000001", document.group.date, "RA77000001"]
    assert segments(document, "W04") == [
        ["2", "EA", "", "SK", "TEE-BLK-M", "UP", "840000100023"],
        ["1", "EA", "", "SK", "HOOD-GRY-M", "UP", "840000100047"],
    ]
    assert segments(document, "W03") == [["3"]]


def test_an_ra_goes_out_as_180_with_reasons_by_the_profile(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=sending("180", more='[send.reasons]\n"Too big" = "PF"'))
    announce(stage, 77000001)
    document = the_set(*sent(stage))
    assert (document.set_id, document.group.functional_id) == ("180", "AN")
    assert segments(document, "BGN")[0][:2] == ["00", "RA77000001"]
    assert [line[:4] for line in segments(document, "BLI")] == [["SK", "TEE-BLK-M", "2", "EA"], ["SK", "HOOD-GRY-M", "1", "EA"]]
    assert segments(document, "N9")[0] == ["RZ", "RA77000001"]


@pytest.mark.parametrize(
    ("document", "version", "quantity"), [("desadv", "D:96A:UN:EAN005", "12"), ("desadv", "D:01B:UN", "12"), ("retann", "D:01B:UN", "61")]
)
def test_an_ra_goes_out_as_edifact(make_stage: Callable[..., Stage], document: str, version: str, quantity: str) -> None:
    stage = make_stage(edits=sending(document, more=EDIFACT.format(version=version)))
    announce(stage, 77000001)
    message = the_message(*sent(stage))
    assert (message.message_type, f"{message.version}:{message.release}") == (document.upper(), version[:5])
    assert segments(message, "BGM") == [[["351"], ["RA77000001"], ["9"]]]
    assert [line[0] for line in segments(message, "QTY")] == [[quantity, "2"], [quantity, "1"]]
    assert [line[1] for line in segments(message, "PIA")] == [["TEE-BLK-M", "SA"], ["HOOD-GRY-M", "SA"]]
    assert segments(message, "CNT") == [[["2", "2"]]]
    header = message.interchange
    assert (header.sender, header.sender_qualifier, header.recipient, header.recipient_qualifier) == ("HARBORPINE", "ZZ", "5790000120420", "14")
    assert (header.syntax, header.control, header.test) == ("UNOC", "1", False)
    assert stage.documents("RA77000001")[0]["acknowledgement"] == "awaiting"


def test_edifact_references_rise_without_gap_and_the_test_indicator_follows_the_profile(make_stage: Callable[..., Stage]) -> None:
    more = EDIFACT.format(version="D:96A:UN") + 'usage = "T"\nfirst_control = 451\nservice_string = false\nsyntax = "UNOA"'
    stage = make_stage(edits=sending("desadv", more=more))
    for rma in (77000001, 77000003, 77000004):
        announce(stage, rma)
    messages = [the_message(content) for content in sent(stage)]
    assert [m.interchange.control for m in messages] == ["451", "452", "453"]
    assert all(m.interchange.test and m.interchange.syntax == "UNOA" for m in messages)
    assert not any(content.startswith(b"UNA") for content in sent(stage))


def test_names_with_delimiters_are_released_and_letters_folded(make_stage: Callable[..., Stage]) -> None:
    edits = (
        *sending("desadv", more=EDIFACT.format(version="D:96A:UN") + 'syntax = "UNOB"'),
        ("mappings/items.csv", "Hoodie grey M", "Hoodie ü+ n': grey?"),
    )
    stage = make_stage(edits=edits)
    announce(stage, 77000004)
    assert segments(the_message(*sent(stage)), "IMD") == [[["F"], [""], ["", "", "", "Hoodie u+ n': grey?"]]]


def test_an_ra_goes_out_in_fixed_width_with_header_and_trailer(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(edits=sending("fixed", more=FIXED))
    announce(stage, 77000001)
    (path,) = stage.outbox("ATLAS")
    assert path.suffix == ".txt"
    lines = path.read_bytes().decode("ascii").split("\r\n")
    assert {len(line) for line in lines[:-1]} == {80}
    assert [line.rstrip() for line in lines[:-1]] == [
        "HRA77000001            NJ1",
        "D0001TEE-BLK-M                     000000200",
        "D0002HOOD-GRY-M                    000000100",
        "T000000200000000300",
    ]
    assert stage.documents("RA77000001")[0]["acknowledgement"] == "not expected"


def test_an_ra_goes_out_as_a_spreadsheet_whose_cells_are_text(make_stage: Callable[..., Stage]) -> None:
    import python_calamine

    stage = make_stage(edits=sending("xlsx"))
    announce(stage, 77000001)
    (path,) = stage.outbox("ATLAS")
    assert path.suffix == ".xlsx"
    header, *rows = python_calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Returns").to_python()
    at = {name: place for place, name in enumerate(header)}
    assert [[row[at[name]] for name in ("ra_number", "sku", "upc", "quantity")] for row in rows] == [
        ["RA77000001", "TEE-BLK-M", "840000100023", "2"],
        ["RA77000001", "HOOD-GRY-M", "840000100047", "1"],
    ]


def test_a_csv_has_the_delimiter_and_encoding_of_the_profile(make_stage: Callable[..., Stage]) -> None:
    more = '[send.csv]\ndelimiter = ";"\nencoding = "cp1252"\nquote_all = true\nline_end = "lf"'
    stage = make_stage(edits=(*sending("csv", more=more), ("mappings/items.csv", "Hoodie grey M", "Hoodie grün; M")))
    announce(stage, 77000004)
    text = sent(stage)[0].decode("cp1252")
    assert "\r" not in text
    (row,) = csv.DictReader(io.StringIO(text), delimiter=";")
    assert (row["description"], row["quantity"]) == ("Hoodie grün; M", "1")


CHANGES = [
    ("943", "", lambda c: segments(the_set(c), "W06")[0][11:], [[], ["2"], ["3"]]),
    ("180", "", lambda c: segments(the_set(c), "BGN")[0][0], ["00", "05", "01"]),
    ("desadv", EDIFACT.format(version="D:96A:UN"), lambda c: segments(the_message(c), "BGM")[0][2][0], ["9", "5", "1"]),
    ("retann", EDIFACT.format(version="D:01B:UN"), lambda c: segments(the_message(c), "BGM")[0][2][0], ["9", "5", "1"]),
    (
        "csv",
        '[send.purposes]\noriginal = "NEW"\nchange = "CHG"\ncancel = "DEL"',
        lambda c: c.split(b"\r\n")[1].split(b",")[2],
        [b"NEW", b"CHG", b"DEL"],
    ),
]


@pytest.mark.parametrize(("document", "more", "purpose", "expected"), CHANGES, ids=[c[0] for c in CHANGES])
def test_a_change_and_a_cancel_follow_in_the_documents_own_words(
    make_stage: Callable[..., Stage], document: str, more: str, purpose: Callable[[bytes], Any], expected: list[Any]
) -> None:
    stage = make_stage(edits=sending(document, more=more))
    announce(stage, 77000003)
    stage.world.edit(77000003, remove=[830003])
    stage.wait(1)
    stage.import_rmas()
    stage.world.cancel(77000003)
    stage.wait(1)
    stage.import_rmas()
    assert [purpose(content) for content in sent(stage)] == expected


BROKEN = [
    ("943", "943.x12.j2", "W04*{{ line.quantity }}", "W04*{{ line.quantity + 1 }}", "units instead of"),
    ("943", "943.x12.j2", "W04*{{ line.quantity }}", "W04*x{{ line.quantity }}", "no whole number"),
    ("180", "180.x12.j2", "BGN*{{ purpose }}*{{ ra.ra }}", "BGN*{{ purpose }}*", "BGN"),
    ("desadv", "desadv.edifact.j2", "QTY+12:{{ line.quantity }}", "QTY+12:1", "units instead of 3"),
    ("desadv", "desadv.edifact.j2", "BGM+351+{{ ra.ra }}", "BGM+351+{{ ra.rma }}", "does not name the RA"),
    ("xlsx", "ra.csv.j2", "{{ line.quantity }},EA", "9,EA", "units of it instead of 3"),
    ("fixed", "ra.csv.j2", "{{ line.sku }}", "{{ line.sku }}{{ line.sku }}{{ line.sku }}{{ line.sku }}", "its place holds 30"),
    ("csv", "ra.csv.j2", ",quantity,", ",number,", "must print a header with ra_number and quantity"),
]


@pytest.mark.parametrize(("document", "template", "old", "new", "words"), BROKEN, ids=[f"{b[0]}-{at}" for at, b in enumerate(BROKEN)])
def test_a_broken_template_reaches_no_partner_and_is_told_at_the_ra(
    make_stage: Callable[..., Stage], document: str, template: str, old: str, new: str, words: str
) -> None:
    more = {"desadv": EDIFACT.format(version="D:96A:UN"), "fixed": FIXED}.get(document, "")
    stage = make_stage(edits=(*sending(document, more=more), (f"templates/{template}", old, new)))
    open_known_return(stage.world, 77000001)
    stage.import_rmas()
    assert sent(stage) == []
    (task,) = stage.tasks("not sendable")
    assert words in task["text"]
    assert stage.ra("RA77000001").state.value == "held"
    stage.reopen((f"templates/{template}", new, old))
    stage.job("TransmitReturnAuthorizations")
    assert (len(sent(stage)), stage.tasks("not sendable")) == (1, [])
