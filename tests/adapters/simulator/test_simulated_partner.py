"""The simulated warehouse reads what we send, acknowledges it, and sends receipts as its script says."""

from pathlib import Path

import pytest

from gateway.simulator.clock import SimClock
from gateway.simulator.partner import (
    Acknowledged,
    Envelope,
    Line,
    Partner,
    PartnerRules,
    Receipt,
    make_944,
    make_944_file,
    make_997,
    make_csv_receipt,
    put,
    read_x12,
)

LINES = [("TEE-BLK-M", "840000100023", 2), ("HOOD-GRY-M", "840000100047", 1)]


def make_856(*ras: str, purpose: str = "00", number: int = 7) -> bytes:
    """An 856 as the gateway would write it; the simulator itself never writes one."""
    isa = f"ISA*00*{'':10}*00*{'':10}*ZZ*{'HARBORPINE':15}*ZZ*{'ATLAS3PL':15}*261123*0930*U*00401*{number:09d}*0*P*>~"
    parts = [isa, f"GS*SH*HARBORPINE*ATLAS3PL*20261123*0930*{number}*X*004010~"]
    for place, ra in enumerate(ras, 1):
        body = [f"ST*856*{place:04d}", f"BSN*{purpose}*{ra}*20261123*0930*0004", "HL*1**S", "REF*2I*1Z99", "N1*ST*NJ1*92*NJ1"]
        for at, (sku, upc, count) in enumerate(LINES, 1):
            body += [f"HL*{at + 1}*1*I", f"LIN*{at}*SK*{sku}*UP*{upc}", f"SN1*{at}*{count}*EA"]
        body += ["CTT*3*3", f"SE*{len(body) + 2}*{place:04d}"]
        parts.append("~".join(body) + "~")
    return "".join([*parts, f"GE*{len(ras)}*{number}~IEA*1*{number:09d}~"]).encode()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "outbox", tmp_path / "inbox"


def partner(folders: tuple[Path, Path], script: dict | None = None, **rules: object) -> Partner:
    return Partner("ATLAS", *folders, SimClock(), script, PartnerRules(**rules))


def segments(data: bytes) -> list[list[str]]:
    return [part.strip("\r\n").split("*") for part in data.decode().split("~") if part.strip()]


def files(folder: Path, kind: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob(f"*_{kind}_*"))]


def test_an_announcement_is_acknowledged_and_received_in_full(folders):
    warehouse = partner(folders)
    put(folders[0], "asn.edi", make_856("RA77000001"))
    done = warehouse.step()
    assert done[0] == "took asn.edi"
    assert list(folders[0].iterdir()) == []
    ack = segments(files(folders[1], "997")[0])
    assert [part for part in ack if part[0].startswith("AK")] == [
        ["AK1", "SH", "7"],
        ["AK2", "856", "0001"],
        ["AK5", "A"],
        ["AK9", "A", "1", "1", "1"],
    ]
    receipt = segments(files(folders[1], "944")[0])
    assert ["W17", "C", f"{warehouse.clock.now():%Y%m%d}", "WR5501", "RA77000001", "RA77000001"] in receipt
    assert [part for part in receipt if part[0] == "W07"] == [
        ["W07", "2", "EA", "", "SK", "TEE-BLK-M", "UP", "840000100023"],
        ["W07", "1", "EA", "", "SK", "HOOD-GRY-M", "UP", "840000100047"],
    ]
    assert ["W14", "3", "3"] in receipt
    assert ["N9", "ZZ", "FINAL"] in receipt
    assert warehouse.announced["RA77000001"].tracking == ("1Z99",)


def test_a_script_sends_damaged_and_short_lines(folders):
    lines = [("TEE-BLK-M", 1, 1), ("HOOD-GRY-M", 0, 0, 1)]
    warehouse = partner(folders, {"77000001": Receipt(lines=lines, receipt_no="WR9", final=True)})
    put(folders[0], "asn.edi", make_856("RA77000001"))
    warehouse.step()
    receipt = segments(files(folders[1], "944")[0])
    assert [part for part in receipt if part[0] in ("W07", "W13", "W14")] == [
        ["W07", "2", "EA", "", "SK", "TEE-BLK-M", "UP", "840000100023"],
        ["W13", "1", "EA", "01"],
        ["W07", "0", "EA", "", "SK", "HOOD-GRY-M", "UP", "840000100047"],
        ["W13", "1", "EA", "02"],
        ["W14", "2", "3"],
    ]


def test_parts_come_on_their_days(folders):
    parts = [Receipt(lines=[("TEE-BLK-M", 1)]), Receipt(lines=[("TEE-BLK-M", 1), ("HOOD-GRY-M", 1)], receipt_no="WR2", days=1)]
    warehouse = partner(folders, {"RA77000001": parts})
    put(folders[0], "asn.edi", make_856("RA77000001"))
    warehouse.step()
    assert len(files(folders[1], "944")) == 1
    warehouse.clock.advance(86400)
    assert warehouse.step() == ["received RA77000001 in ATLAS_944_000003.edi"]


def test_a_rejected_set_is_named_and_not_received(folders):
    warehouse = partner(folders, reject_sets={2})
    put(folders[0], "asn.edi", make_856("RA77000001", "RA77000002", "RA77000003"))
    warehouse.step()
    ack = segments(files(folders[1], "997")[0])
    assert [part[1] for part in ack if part[0] == "AK5"] == ["A", "R", "A"]
    assert ["AK9", "P", "3", "3", "2"] in ack
    assert list(warehouse.announced) == ["RA77000001", "RA77000003"]


def test_a_997_is_never_answered(folders):
    warehouse = partner(folders)
    put(folders[0], "ack.edi", make_997(Acknowledged("RE", "5", [("944", "0001", "A")])))
    assert warehouse.step() == ["took ack.edi", "read acknowledgement in ack.edi"]
    assert not folders[1].exists()
    assert len(warehouse.acknowledgements) == 1


def test_a_cancelled_ra_is_not_received_and_a_repeated_one_not_again(folders):
    warehouse = partner(folders, {"77000001": Receipt(days=2, final=True)})
    for name, data in (("a", make_856("RA77000001")), ("b", make_856("RA77000001", purpose="01")), ("c", make_856("RA77000001"))):
        put(folders[0], f"{name}.edi", data)
    warehouse.step()
    warehouse.clock.advance(3 * 86400)
    assert warehouse.step() == []
    assert (warehouse.cancelled, len(files(folders[1], "997"))) == (["RA77000001"], 3)


def test_unfinished_files_are_left_alone(folders):
    warehouse = partner(folders)
    folders[0].mkdir()
    for name in (".asn.edi.tmp", "asn.edi.filepart"):
        (folders[0] / name).write_bytes(make_856("RA77000001"))
    (folders[0] / "cut.edi").write_bytes(make_856("RA77000001")[:-20])
    assert warehouse.step() == []
    assert len(list(folders[0].iterdir())) == 3


def test_files_may_be_left_in_place_and_are_read_once(folders):
    warehouse = partner(folders, leave=True, answer=False, acknowledge=False)
    put(folders[0], "asn.edi", make_856("RA77000001"))
    assert warehouse.step() == ["took asn.edi", "noted RA77000001"]
    assert warehouse.step() == []
    assert (folders[0] / "asn.edi").exists()


def test_a_csv_announcement_gets_a_csv_receipt(folders):
    warehouse = partner(folders, {"77000009": Receipt(lines=[("DRS-RED-6", 1, 1)], receipt_no="LA1", final=True)})
    rows = "ra_number,line_no,sku,upc,quantity,tracking_number\r\nRA77000009-2,1,DRS-RED-6,840000100054,2,1Z7\r\n"
    put(folders[0], "asn.csv", rows.encode())
    warehouse.step()
    text = files(folders[1], "receipt")[0].decode().splitlines()
    assert text[0] == "receipt_number,ra_number,received_at,line_no,sku,upc,quantity,uom,condition,disposition,final,note"
    assert [row.split(",")[4:9] for row in text[1:]] == [
        ["DRS-RED-6", "840000100054", "1", "EA", "GOOD"],
        ["DRS-RED-6", "840000100054", "1", "EA", "SECOND"],
    ]
    assert not files(folders[1], "997")


def test_a_944_has_the_envelope_it_is_given():
    data = make_944("RA1", [("TEE-BLK-M", 1)], sender="X", number=42, version="005010", element="|", terminator="\n", newline="", usage="T")
    text = data.decode()
    assert (len(text.split("\n")[0]), text[3], text[82], text[84:89], text[90:99], text[102]) == (105, "|", "^", "00501", "000000042", "T")
    assert read_x12(data)[0].number == "42"


def test_every_count_of_a_944_is_right_unless_asked_otherwise():
    good = segments(make_944("RA1", [("TEE-BLK-M", 2, 0, 1)]))
    start = next(at for at, part in enumerate(good) if part[0] == "ST")
    closing = next(part for part in good if part[0] == "SE")
    assert int(closing[1]) == next(at for at, part in enumerate(good) if part[0] == "SE") - start + 1
    bad = segments(make_944("RA1", [("TEE-BLK-M", 2)], total=4, segment_count=99, iea_number=5, set_count=2))
    found = {part[0]: part[1:] for part in bad}
    assert (found["W14"], found["SE"][0], found["IEA"], found["GE"][0]) == (["4"], "99", ["1", "000000005"], "2")


def test_damage_can_be_counted_on_top_or_on_a_line_of_its_own():
    on_top = segments(make_944("RA1", [("TEE-BLK-M", 3, 1)], on_top=True))
    assert [part[1] for part in on_top if part[0] in ("W07", "W13", "W14")] == ["3", "1", "3"]
    split = segments(make_944("RA1", [("TEE-BLK-M", 3, 1)], split=True))
    assert [part[1] for part in split if part[0] in ("W07", "W13", "W14")] == ["3", "1", "1", "4"]


def test_a_blind_receipt_names_no_ra():
    blind = segments(make_944("", [("HOOD-GRY-M", 1)], receipt_no="WR7", tracking="1Z5", order_name="1004"))
    assert [part for part in blind if part[0] in ("W17", "N9")][1:] == [["N9", "2I", "1Z5"], ["N9", "CO", "1004"]]
    assert blind[3][3:] == ["WR7"]


def test_one_file_may_hold_several_receipts_and_a_bad_quantity():
    receipts = [("RA1", Receipt(lines=[("TEE-BLK-M", 2)])), ("RA2", Receipt(lines=[Line("HOOD-GRY-M", quantity="1O")]))]
    group = read_x12(make_944_file(receipts, Envelope(set_number=7)))[0]
    assert [control for _, control, _ in group.sets] == ["0007", "0008"]
    assert group.sets[1][2][4][1] == "1O"


def test_a_csv_receipt_may_report_nothing_received():
    text = make_csv_receipt("RA1", [("TEE-BLK-M", 0, 0, 2), ("HOOD-GRY-M", 0)], final=False).decode().splitlines()
    assert [row.split(",")[6:9] for row in text[1:]] == [["0", "EA", "MISSING"]] * 2
    assert text[1].split(",")[10] == "N"
