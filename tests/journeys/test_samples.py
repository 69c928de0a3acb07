"""Every sample file from the outside world goes through the real intake: none crashes it, each ends with an outcome and a reason in words.

`EXPECTED` says what the index of the made files asks for: the outcome, and words that stand in the reason, the side file or our answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.edi import edifact
from gateway.jobs import intake
from gateway.simulator.partner import Line, make_944
from gateway.store.files import File
from tests.stage import HOUR, ROOT, Stage

SAMPLES = Path(os.environ.get("GATEWAY_SAMPLES") or ROOT.parent / "shared" / "samples")
FOREIGN = ("944", "997", "x12-envelope")
OUTCOMES = {"applied", "partial", "duplicate", "held", "error", "quarantine"}

EDITS = (
    ("mappings/atlas.toml", 'partner_id = "ATLAS3PL"', 'partner_id = "CEDARWMS"'),
    ("mappings/atlas.toml", 'our_id = "HARBORPINE"', 'our_id = "NORTHPEAK"'),
    ("mappings/atlas.toml", 'usage = "P"', 'usage = "T"'),
    ("gateway.toml", 'ra_pattern = "RA{rma}"', 'ra_pattern = "R{rma}"'),
    ("mappings/items.csv", "TEE-BLK-M,840000100023", "TEE-BLK-M,614141000111"),
    ("mappings/items.csv", "CAP-NVY-OS,840000100078", "CAP-NVY-OS,614141000333"),
    ("mappings/items.csv", "sku,upc,title\n", "sku,upc,title\nMUG-WHT-11,614141000227,Mug white\n"),
)
IN_FULL = {"TEE-BLK-M": (2, 2, 0, 0), "MUG-WHT-11": (1, 1, 0, 0), "CAP-NVY-OS": (1, 1, 0, 0)}
SHORT = {"TEE-BLK-M": (2, 1, 0, 0), "MUG-WHT-11": (1, 1, 0, 0), "CAP-NVY-OS": (1, 0, 0, 0)}
DAMAGED = {"TEE-BLK-M": (2, 1, 1, 0), "MUG-WHT-11": (1, 0, 1, 0), "CAP-NVY-OS": (1, 1, 0, 0)}
UNTOUCHED = {"TEE-BLK-M": (2, 0, 0, 0), "MUG-WHT-11": (1, 0, 0, 0), "CAP-NVY-OS": (1, 0, 0, 0)}

# name: (outcome, words that must be told, words of our answer)
EXPECTED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "made-5010-without-lx": ("applied", (), ("AK5*A",)),
    "made-blank": ("error", ("the file is empty",), ()),
    "made-controls-1c-1d-1f": ("applied", (), ("AK9*A",)),
    "made-empty": ("error", ("the file is empty",), ()),
    "made-iea01-wrong": ("error", ("IEA",), ("TA1*000002207", "*R*021")),
    "made-isa-only": ("error", ("IEA",), ("TA1*000002207", "*R*023")),
    "made-isa13-iea02-differ": ("error", ("000002207",), ("TA1*000002207", "*R*001")),
    "made-leading-mail-header": ("applied", (), ("AK9*A",)),
    "made-line-key-unknown": ("applied", (), ("AK9*A",)),
    "made-lx-in-4010": ("applied", (), ("AK9*",)),
    "made-missing-ge": ("error", ("GE",), ("AK9*R", "*3")),
    "made-missing-iea": ("error", ("IEA",), ("TA1*000002207", "*R*023")),
    "made-no-w14": ("applied", (), ("AK5*E",)),
    "made-not-edi": ("error", ("begins with ISA",), ()),
    "made-quantities-odd": ("applied", (), ("AK9*A",)),
    "made-quantity-negative": ("error", ("negative",), ("AK9*A",)),
    "made-ra-with-hash-and-case": ("applied", (), ("AK9*A",)),
    "made-se01-off-by-one": ("error", ("12", "14"), ("AK5*R*4",)),
    "made-ta1-and-944": ("applied", (), ("AK9*A",)),
    "made-term-0x85": ("applied", (), ("AK9*A",)),
    "made-term-0x85-as-utf8": ("applied", (), ("AK9*A",)),
    "made-term-cr": ("applied", (), ("AK9*A",)),
    "made-term-crlf": ("applied", (), ("AK9*A",)),
    "made-trailing-blanks": ("applied", (), ("AK9*A",)),
    "made-trailing-half-interchange": ("partial", ("IEA",), ("AK9*A",)),
    "made-trailing-nul-ctrlz": ("applied", (), ("AK9*A",)),
    "made-two-groups-re-aw": ("applied", ("947",), ("AK1*RE", "AK1*AW")),
    "made-wrap80-crlf": ("applied", (), ("AK9*A",)),
    "made-wrap80-lf-quote": ("applied", (), ("AK9*A",)),
    "made-wrong-gs01": ("applied", (), ("AK9*",)),
}
# The made files vary three receipts, told apart by their control number: in full, short by W13 02, damaged by W13 01 and 04.
RECEIPTS = {b"000002207": (IN_FULL, (1, 0)), b"000002208": (SHORT, (0, 1)), b"000002210": (DAMAGED, (0, 1))}
NOTHING = (UNTOUCHED, (0, 0))
AFTER_ANOTHER = {"made-duplicate-of-full": "duplicate", "made-same-isa13-other-content": "held", "made-same-receipt-other-lines": "held"}


def names(folder: str) -> list[str]:
    """The sample files of a folder; one that stands for none when they are absent."""
    return sorted(path.name for path in (SAMPLES / folder).glob("*.edi")) or ["absent"]


def sample(folder: str, name: str) -> bytes:
    """A sample's bytes."""
    path = SAMPLES / folder / name
    if not path.exists():
        pytest.skip(f"{path} is not there: the samples are kept outside this repository")
    return path.read_bytes()


def a_stage(make_stage: Callable[..., Stage]) -> Stage:
    """A stage on which R8675309 is announced."""
    stage = make_stage(edits=EDITS)
    stage.world.add_item("MUG-WHT-11", "614141000227", "15.00")
    stage.world.add_order(5000008675, "#8675", [("TEE-BLK-M", 2), ("MUG-WHT-11", 1), ("CAP-NVY-OS", 1)], location=7001)
    units = [(867501, "TEE-BLK-M"), (867502, "TEE-BLK-M"), (867503, "MUG-WHT-11"), (867504, "CAP-NVY-OS")]
    stage.world.open_return(8675309, "#8675", units, 501)
    stage.import_rmas()
    assert stage.lines("R8675309") == UNTOUCHED
    for path in stage.outbox("ATLAS"):
        path.unlink()
    return stage


def give(stage: Stage, name: str, content: bytes, *, partner: str = "ATLAS") -> File:
    """Put a file into the inbox, and let a day pass for one that never gets its end; what became of it."""
    path = stage.folder / "inbox" / partner / name
    path.write_bytes(content)
    for at in (0.0, 1.0, 25 * HOUR, 25 * HOUR + 1):
        if at > HOUR and path.exists():
            stage.clock.advance(25 * HOUR)
        intake.take_files(replace(stage.ctx, monotonic=lambda at=at: at), partner)
        stage.worker.drain()
    file = stage.file(name)
    assert file.outcome in OUTCOMES
    assert (stage.folder / "var" / file.place).read_bytes() == content
    assert file.reason or file.outcome == "applied"
    assert stage.tasks("defect") == []
    assert stage.tasks("failed step") == []
    return file


def told(stage: Stage, file: File) -> str:
    """Everything a person is told about a file."""
    return f"{file.reason}\n{file.side_text}"


def answered(stage: Stage) -> str:
    """Our answers."""
    return "\n".join(path.read_text() for path in stage.outbox("ATLAS"))


@pytest.mark.parametrize("name", [n for n in names("made-messy-944") if n.removesuffix(".edi") not in AFTER_ANOTHER])
def test_a_made_sample_ends_as_its_index_says(make_stage: Callable[..., Stage], name: str) -> None:
    content = sample("made-messy-944", name)
    outcome, words, answer = EXPECTED[name.removesuffix(".edi")]
    stage = a_stage(make_stage)
    file = give(stage, name, content)
    assert file.outcome == outcome
    assert [word for word in words if word not in told(stage, file)] == []
    assert [word for word in answer if word not in answered(stage)] == []
    assert bool(stage.outbox("ATLAS")) == bool(answer)
    lines, calls = NOTHING if outcome == "error" else next((RECEIPTS[number] for number in RECEIPTS if number in content), RECEIPTS[b"000002207"])
    assert stage.lines("R8675309") == lines
    assert (stage.calls("process", 8675309), stage.calls("flag", 8675309)) == calls


@pytest.mark.parametrize("name", AFTER_ANOTHER)
def test_a_made_sample_that_repeats_another_is_not_applied_again(make_stage: Callable[..., Stage], name: str) -> None:
    first = sample("made-messy-944", "made-duplicate-of-full.edi")
    content = sample("made-messy-944", f"{name}.edi")
    stage = a_stage(make_stage)
    assert give(stage, "full.edi", first).outcome == "applied"
    file = give(stage, f"{name}.edi", content)
    assert file.outcome == AFTER_ANOTHER[name]
    assert stage.lines("R8675309") == IN_FULL
    assert (stage.calls("process", 8675309), stage.calls("flag", 8675309)) == (1, 0)


@pytest.mark.parametrize(("folder", "name"), [(folder, name) for folder in FOREIGN for name in names(folder)])
def test_a_strangers_file_is_refused_in_words_and_the_next_one_is_applied(make_stage: Callable[..., Stage], folder: str, name: str) -> None:
    content = sample(folder, name)
    stage = a_stage(make_stage)
    file = give(stage, name, content)
    assert file.outcome in ("error", "quarantine")
    assert all(heading in file.side_text for heading in ("What:", "Where:", "To do:"))
    assert stage.lines("R8675309") == UNTOUCHED
    lines = [Line("TEE-BLK-M", 2), Line("MUG-WHT-11", 1), Line("CAP-NVY-OS", 1)]
    good = make_944("R8675309", lines, sender="CEDARWMS", receiver="NORTHPEAK", usage="T", number=9999)
    assert give(stage, "good.edi", good).outcome == "applied"
    assert stage.lines("R8675309") == IN_FULL


PROFILE = """
partner = "{partner}"
name = "A sender of samples"
[x12]
partner_id = "{sender:.15}"
our_id = "NORTHPEAK"
usage = "{usage}"
[edifact]
partner_id = "{sender}"
our_id = "NORTHPEAK"
usage = "{usage}"
[folders]
settle_seconds = 0.0
[receive]
advise = true
[receive.x12_receipt]
damaged_quantity = "included"
[receive.x12_861]
damaged_quantity = "included"
[receive.x12_180]
damaged_quantity = "included"
purposes = ["00", "11"]
[receive.recadv]
damaged_quantity = "included"
[receive.stock]
"""
FOLDERS = sorted(path.name for path in SAMPLES.glob("*") if path.is_dir()) or ["absent"]
# What an index says of an envelope, and the code of the fault that must be told.
FAULTS = {
    r"SE01 \d": "x12.se01-count", "ST02/SE02 differ": "x12.se02-control", "GS06/GE02 differ": "x12.ge02-control", r"GE01 \d": "x12.ge01-count",
    "ISA13/IEA02 differ": "x12.iea02-control", r"IEA01 \d": "x12.iea01-count", "IEA missing": "x12.iea-missing", "GE missing": "x12.ge-missing",
    "SE missing": "x12.se-missing", "SE without ST": "x12.st-missing", "ST outside GS": "x12.group-missing", "GE without GS": "x12.group-missing",
    "no ISA/IEA envelope": "x12.headless", r"UNT \d": "edifact.unt01-count", "UNH/UNT reference differ": "edifact.unt02-reference",
    "UNB/UNZ reference differ": "edifact.unz02-reference", r"UNZ \d": "edifact.unz01-count", "no UNB": "edifact.headless",
}  # fmt: skip

# Where what is told is something else, because it stands in the way of the fault that the index names.
OTHERWISE = {
    "856-libedi.edi": "The sender 'InterchangeSenderID' is not known",  # more than an ISA holds
    "940-ediengine-multipleinterchangesandgroups.edi": "",  # 000003438 and 3438 are the same number
    "940-x12types-4.edi": "x12.ge02-control",
    "940-x12types-5.edi": "its envelope cannot be read",
    "940-x12types-6.edi": "its envelope cannot be read",
    "940-x12types-7.edi": "its envelope cannot be read",
    "997-bots-mailbag.edi": "is not known",  # five interchanges of different senders
    "env-gozer-missing-isa.edi": "there is no ISA in front of them",
    "env-mule-850-interchange-number-mismatch.edi": "The sender 'MODUSX' is not known",  # of the second interchange
    "env-mule-850-missing-group-header.edi": "The sender 'MODUSX' is not known",
}
# The outcome of each file in the order of its index: applied, error, partial.
BY_FOLDER = {
    "180": "eee", "824": "eaeea", "846": "ee", "856": "aaaeaaeaeeeea",
    "861": "ee", "940": "eaeaaeeee", "943": "aeae", "944": "eeeae",
    "945": "ee", "947": "e", "997": "eaaaaaaaaaaaaeeaaaaeee", "999": "aaeaaa",
    "aperak": "ee", "contrl": "aa", "desadv": "aaaeaeeae", "edifact-envelope": "eeeeee",
    "invrpt": "e", "made-messy-944": "aeaaeeeeaaaeeaeaeaaaeaaaaaapaaaaa", "recadv": "a", "ta1": "aaae",
    "x12-envelope": "eeeeeeeeeeeeeeee",
}  # fmt: skip


def identity(content: bytes) -> tuple[str, str]:
    """The sender and usage that the file's first envelope names."""
    if b"ISA" in content and b"UNB" not in content:
        start = content.index(b"ISA")
        isa = content[start:].split(content[start + 3 : start + 4], 16)
        return isa[6].decode("latin-1").strip() or "-", "T" if isa[15][:1] == b"T" else "P"
    if b"UNB" in content:
        event = next((e for e in edifact.read_messages([content]) if isinstance(e, edifact.InterchangeStart)), None)
        return (event.header.sender or "-", "T" if event.header.test else "P") if event else ("-", "P")
    return "-", "P"


def indexed(folder: str) -> dict[str, set[str]]:
    """The files of a folder with the codes of the faults that its index states."""
    stated: dict[str, set[str]] = {name: set() for name in names(folder) if name != "absent"}
    path = SAMPLES / folder / "INDEX.md"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith("| ") and len(cells) > 8 and cells[1] in stated:
            stated[cells[1]] = {code for words, code in FAULTS.items() if re.search(words, cells[7])}
    return stated


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_sample_is_accepted_or_told_where_its_index_says(make_stage: Callable[..., Stage], folder: str) -> None:
    """Each file comes from a partner of its own, whose profile has the sender and usage that the file names and takes every document."""
    listed = list(indexed(folder).items())
    if not listed:
        pytest.skip("the samples are kept outside this repository")
    stage = make_stage()
    for number, (name, _) in enumerate(listed):
        sender, usage = identity(sample(folder, name))
        text = PROFILE.format(partner=f"S{number}", sender=sender, usage=usage)
        (stage.folder / "mappings" / f"s{number}.toml").write_text(text, encoding="utf-8")
    stage.reopen()
    missing, outcomes = set(), ""
    for number, (name, codes) in enumerate(listed):
        file = give(stage, name, sample(folder, name), partner=f"S{number}")
        said = told(stage, file)
        expected = {OTHERWISE[name]} if name in OTHERWISE else codes
        missing |= {(name, code) for code in expected if code not in said}
        outcomes += file.outcome[0]
    assert missing == set()
    assert outcomes == BY_FOLDER[folder]
