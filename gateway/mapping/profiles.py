"""A trading partner's profile: how its documents look and what their words mean.

One TOML file a partner, checked as a whole. No partner's name appears in code. Where two readings of a document are in use in the field and the
standard does not choose (is the damaged quantity inside the received one?), the profile must say, and there is no default (R-080).
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.errors import PermanentError
from gateway.mapping.calendars import CalendarPart
from gateway.mapping.exchange_parts import Limits, Pgp, Sftp, Unpack
from gateway.mapping.policy_part import PolicyPart
from gateway.mapping.profile_parts import (
    KINDS,
    EdifactIdentity,
    FixedLayout,
    Kind,
    Read180,
    Read861,
    ReadCsvReceipt,
    ReadFixedReceipt,
    ReadRecadv,
    ReadStock,
    ReadXlsxReceipt,
    SendCsv,
    SendXlsx,
)

DEPOSITOR_ORDER_LIMIT = 22  # element 285, where a 944 echoes the RA number


RECEIVED_QUANTITIES = {"x12_receipt": " (W07-01)", "x12_861": " (RCD-02)", "x12_180": " (BLI-03)", "recadv": " (QTY+48)"}
RECEIPTS = ("x12_receipt", "x12_861", "x12_180", "recadv", "csv_receipt", "fixed_receipt", "xlsx_receipt")


class BrokenProfileError(PermanentError):
    """A partner profile cannot be used."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class X12Identity(_Part):
    """Both sides' identifiers and the separators we write (reading takes them from the file)."""

    partner_qualifier: str = "ZZ"
    partner_id: str
    our_qualifier: str = "ZZ"
    our_id: str
    partner_group: str = ""
    our_group: str = ""
    version: str = "004010"
    usage: Literal["P", "T"] = "P"
    element: str = "*"
    component: str = ">"
    repetition: str = ""
    terminator: str = "~"
    line_break: bool = True
    first_control: int = 1

    @field_validator("partner_id", "our_id")
    @classmethod
    def _short(cls, value: str) -> str:
        if not 1 <= len(value) <= 15:
            raise ValueError("an interchange id has 1 to 15 characters (ISA06, ISA08)")
        return value


class Folders(_Part):
    """Where files are exchanged, relative to the workspace; how a file shows that it is complete."""

    inbox: str = ""
    outbox: str = ""
    settle_seconds: float = 5.0
    temporary: tuple[str, ...] = ("*.tmp", "*.part", "*.partial", "*.filepart", ".*", "~*")
    trigger: str = ""
    watch: Literal["events", "polling", "off"] = "events"
    share: bool = False


class Purposes(_Part):
    """The code of each purpose, where a partner wants other ones than the document's own."""

    original: str = ""
    change: str = ""
    cancel: str = ""


class Send(_Part):
    """What we send; `template` and `file_name` follow the document when they are not given."""

    document: Literal["856", "943", "180", "desadv", "retann", "csv", "fixed", "xlsx"] = "856"
    template: str = ""
    file_name: str = ""
    ra_limit: int = DEPOSITOR_ORDER_LIMIT
    forbidden: Literal["replace", "refuse"] = "replace"
    expect_acknowledgement: bool = True
    acknowledgement_hours: float = 24.0
    paused: bool = False
    cancel: Literal["document", "task"] = "document"
    change: Literal["document", "replace", "task"] = "document"
    batch: int = 1
    purposes: Purposes = Purposes()
    reasons: dict[str, str] = {}
    csv: SendCsv = SendCsv()
    fixed: FixedLayout | None = None
    xlsx: SendXlsx = SendXlsx()

    @model_validator(mode="before")
    @classmethod
    def _follow_document(cls, given: Any) -> Any:
        """The document's own template and file name, where none is given."""
        kind = KINDS.get(given.get("document", "856")) if isinstance(given, dict) else None
        if kind is None:
            return given
        return {"template": kind.template, "file_name": "{partner}_{document}_{control}" + kind.suffix} | given

    @property
    def kind(self) -> Kind:
        """What kind of document it is."""
        return KINDS[self.document]


class ReadX12Receipt(_Part):
    """Where a 944 states what; places are tried in order (`W17-04`, `N9*RZ`)."""

    ra: tuple[str, ...] = ("W17-04", "N9*RZ", "N9*QJ", "W17-05")
    receipt_number: tuple[str, ...] = ("W17-03", "N9*WR")
    received_on: tuple[str, ...] = ("G62*19", "W17-02")
    tracking: tuple[str, ...] = ("N9*2I", "N9*CN")
    order: tuple[str, ...] = ("N9*CO", "N9*PO")
    warehouse: tuple[str, ...] = ()
    warehouses: dict[str, str] = {}
    items: tuple[str, ...] = ("SK", "VN", "UP", "EN", "UK", "PN", "SW", "IN", "BP")
    damaged_quantity: Literal["included", "on_top"]
    final: tuple[str, ...] = ("N9*ZZ=FINAL",)
    check_total: bool = True
    units: dict[str, int] = {"EA": 1, "PC": 1, "UN": 1}
    conditions: dict[str, Literal["good", "second", "short", "over", "ignore"]] = {
        "01": "second",
        "02": "short",
        "03": "over",
        "04": "second",
        "05": "second",
        "06": "good",
        "07": "good",
        "08": "short",
        "09": "second",
        "10": "second",
        "12": "short",
        "13": "good",
        "14": "good",
        "16": "short",
    }
    absent_lines: Literal["hold", "as_announced"] = "hold"


class Receive(_Part):
    """What we take."""

    acknowledge: bool = True
    acknowledge_with: Literal["997", "999"] = "997"
    ta1: Literal["faults", "requested"] = "faults"
    contrl: Literal["always", "requested", "faults"] = "always"
    advise: bool = False
    answer_file_name: str = ""
    x12_receipt: ReadX12Receipt | None = None
    x12_861: Read861 | None = None
    x12_180: Read180 | None = None
    recadv: ReadRecadv | None = None
    csv_receipt: ReadCsvReceipt | None = None
    fixed_receipt: ReadFixedReceipt | None = None
    xlsx_receipt: ReadXlsxReceipt | None = None
    stock: ReadStock | None = None
    waived: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()
    wait_for_ra_hours: float = 24.0
    corrections: Literal["hold", "replace"] = "hold"

    @property
    def x12(self) -> tuple[str, ...]:
        """The X12 sets that bring receipts."""
        given = {"944": self.x12_receipt, "861": self.x12_861, "180": self.x12_180}
        return tuple(set_id for set_id, part in given.items() if part)

    @property
    def flat(self) -> tuple[str, ...]:
        """The flat files that bring receipts."""
        given = {"CSV": self.csv_receipt, "fixed width": self.fixed_receipt, "XLSX": self.xlsx_receipt}
        return tuple(name for name, part in given.items() if part)


class GradingPart(_Part):
    """What Loop is told about units that came: the partner's own words (`grade`, `disposition`), its conditions, or `good` and `second`, in Loop's words."""

    grades: dict[str, Literal["grade_a", "grade_b", "grade_c", "grade_d", "incorrect_item", "missing", "junk"]] = {}
    dispositions: dict[str, Literal["back_to_stock", "resale_hold", "recycle", "donate", "missing"]] = {}
    processor: Annotated[str, Field(max_length=100)] = ""


class Profile(_Part):
    """A trading partner."""

    partner: Annotated[str, Field(pattern=r"^[A-Z0-9_-]{1,32}$")]
    name: str
    stage: Literal["setup", "testing", "ready", "live"] = "live"
    x12: X12Identity | None = None
    edifact: EdifactIdentity | None = None
    folders: Folders = Folders()
    send: Send = Send()
    receive: Receive = Receive()
    calendar: CalendarPart = CalendarPart()
    cross_references: dict[str, str] = {}
    policy: PolicyPart = PolicyPart()
    grading: GradingPart | None = None
    sftp: Sftp | None = None
    unpack: Unpack = Unpack()
    pgp: Pgp | None = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _agrees(self) -> Profile:
        kind = self.send.kind
        if self.x12 is None and (kind.syntax == "x12" or self.receive.x12):
            raise ValueError("a partner that exchanges X12 needs an [x12] part with both sides' identifiers")
        if self.edifact is None and (kind.syntax == "edifact" or self.receive.recadv):
            raise ValueError("a partner that exchanges EDIFACT needs an [edifact] part with both sides' identifiers")
        if not (self.receive.x12 or self.receive.recadv or self.receive.flat):
            raise ValueError("say how receipts come: " + ", ".join(f"[receive.{name}]" for name in RECEIPTS))
        if self.send.ra_limit > kind.ra_limit:
            raise ValueError(f"send.ra_limit is {self.send.ra_limit}, a {self.send.document} holds at most {kind.ra_limit}")
        if self.send.document == "fixed" and self.send.fixed is None:
            raise ValueError("a document of fixed width needs [send.fixed] with the place of each value")
        if self.receive.acknowledge_with == "999" and self.x12 and self.x12.version < "005010":
            raise ValueError("receive.acknowledge_with: a 999 exists from 005010 on; x12.version is " + self.x12.version)
        return self

    def acknowledge_by(self, at: datetime) -> datetime:
        """When an acknowledgement of what is sent at an instant is overdue, in the partner's business hours (R-132)."""
        return self.calendar.business.after(at, self.send.acknowledgement_hours)

    @property
    def is_live(self) -> bool:
        """Whether what is exchanged has effect; before that all goes through the test folders, and nothing comes of it (R-161)."""
        return self.stage == "live"

    def in_test(self) -> Profile:
        """The profile with its documents marked as test."""
        marked = {name: part.model_copy(update={"usage": "T"}) for name in ("x12", "edifact") if (part := getattr(self, name))}
        return self.model_copy(update=marked)


def read_profile(text: str, *, source: str) -> Profile:
    """A profile from TOML text; every fault is named with its place and remedy."""
    try:
        return Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as fault:
        raise BrokenProfileError(f"{source}: not valid TOML: {fault}") from fault
    except ValidationError as fault:
        raise BrokenProfileError("\n".join(explain_faults(fault, text=text, source=source))) from fault


def explain_faults(fault: ValidationError, *, text: str, source: str) -> list[str]:
    """Each fault as file, line, key, what is wrong."""
    told = []
    for entry in fault.errors():
        keys = [str(key) for key in entry["loc"]]
        named = re.match(r"[a-z0-9_]+(\.[a-z0-9_]+)+", entry["msg"].removeprefix("Value error, "))
        line = find_line(text, keys or (named[0].split(".") if named else []))
        place = f"{source}, line {line}" if line else source
        missing = entry["type"] == "missing"
        said = "is missing; add it" if missing else entry["msg"].removeprefix("Value error, ")
        if keys[-1:] == ["damaged_quantity"] and missing:
            where = RECEIVED_QUANTITIES.get(keys[-2] if len(keys) > 1 else "", "")
            said = (
                f'must be set: "included" when the received quantity{where} contains the damaged units, "on_top" when they come on top. '
                "The standard does not say; ask the partner"
            )
        told.append(f"{place}: {'.'.join(keys) or 'the file'}: {said}")
    return told


def find_line(text: str, keys: list[str]) -> int | None:
    """The line of a key in TOML text, or of the table that should hold it."""
    lines = text.splitlines()
    table = ".".join(key for key in keys[:-1] if not key.isdigit())
    inside = not table
    best = None
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            head = stripped.partition("#")[0].strip("[] ")
            if head == ".".join(keys):
                return number
            inside = head == table
            best = number if inside else best
        elif inside and keys and stripped.split("=", 1)[0].strip().strip('"') == keys[-1]:
            return number
    return find_line(text, keys[:-1]) if best is None and len(keys) > 1 else best
