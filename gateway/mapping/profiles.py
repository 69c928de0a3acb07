"""A trading partner's profile: how its documents look and what their words mean.

One TOML file a partner, checked as a whole. No partner's name appears in code. Where two readings of a document are in use in the field and the
standard does not choose (is the damaged quantity inside the received one?), the profile must say, and there is no default (R-080).
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.errors import PermanentError
from gateway.mapping.calendars import CalendarPart

RA_LIMITS = {"856": 30, "943": 22, "180": 30, "csv": 60}
DEPOSITOR_ORDER_LIMIT = 22  # element 285, where a 944 echoes the RA number


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


class Send(_Part):
    """What we send."""

    document: Literal["856", "943", "180", "csv"] = "856"
    template: str = "856.x12.j2"
    file_name: str = "{partner}_{document}_{control}.edi"
    ra_limit: int = DEPOSITOR_ORDER_LIMIT
    forbidden: Literal["replace", "refuse"] = "replace"
    expect_acknowledgement: bool = True
    acknowledgement_hours: float = 24.0
    paused: bool = False
    cancel: Literal["document", "task"] = "document"
    change: Literal["document", "task"] = "document"
    batch: int = 1


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


class ReadCsvReceipt(_Part):
    """Which columns of a CSV receipt mean what; each meaning lists the header names in use."""

    delimiter: str = ","
    encoding: str = "utf-8"
    columns: dict[str, tuple[str, ...]] = {
        "receipt_number": ("receipt_number", "receipt"),
        "ra": ("ra_number", "ra", "rma"),
        "received_on": ("received_at", "received_on", "date"),
        "sku": ("sku", "item"),
        "upc": ("upc", "barcode"),
        "quantity": ("quantity", "qty"),
        "condition": ("condition",),
        "final": ("final",),
        "note": ("note",),
        "tracking": ("tracking_number", "tracking"),
        "order": ("order_number", "order"),
    }
    required: tuple[str, ...] = ("receipt_number", "ra", "quantity", "condition")
    date_format: str = "iso"
    conditions: dict[str, Literal["good", "second", "short", "ignore"]]
    final_values: tuple[str, ...] = ("Y", "YES", "TRUE", "1", "FINAL")


class Receive(_Part):
    """What we take."""

    acknowledge: bool = True
    x12_receipt: ReadX12Receipt | None = None
    csv_receipt: ReadCsvReceipt | None = None
    waived: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()
    wait_for_ra_hours: float = 24.0
    corrections: Literal["hold", "replace"] = "hold"


class Profile(_Part):
    """A trading partner."""

    partner: Annotated[str, Field(pattern=r"^[A-Z0-9_-]{1,32}$")]
    name: str
    stage: Literal["setup", "testing", "ready", "live"] = "live"
    x12: X12Identity | None = None
    folders: Folders = Folders()
    send: Send = Send()
    receive: Receive = Receive()
    calendar: CalendarPart = CalendarPart()
    cross_references: dict[str, str] = {}

    @model_validator(mode="after")
    def _agrees(self) -> Profile:
        if self.x12 is None and (self.send.document != "csv" or self.receive.x12_receipt):
            raise ValueError("a partner that exchanges X12 needs an [x12] part with both sides' identifiers")
        if self.receive.x12_receipt is None and self.receive.csv_receipt is None:
            raise ValueError("say how receipts come: [receive.x12_receipt] or [receive.csv_receipt]")
        if self.send.ra_limit > RA_LIMITS[self.send.document]:
            raise ValueError(f"send.ra_limit is {self.send.ra_limit}, a {self.send.document} holds at most {RA_LIMITS[self.send.document]}")
        return self

    def acknowledge_by(self, at: datetime) -> datetime:
        """When an acknowledgement of what is sent at an instant is overdue, in the partner's business hours (R-132)."""
        return self.calendar.business.after(at, self.send.acknowledgement_hours)

    @property
    def is_x12_out(self) -> bool:
        """Whether RAs go out as X12."""
        return self.send.document != "csv"


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
        line = find_line(text, keys)
        place = f"{source}, line {line}" if line else source
        missing = entry["type"] == "missing"
        said = "is missing; add it" if missing else entry["msg"].removeprefix("Value error, ")
        if keys[-1:] == ["damaged_quantity"] and missing:
            said = (
                'must be set: "included" when the received quantity (W07-01) contains the damaged units, "on_top" when they come on top. '
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
            inside = stripped.strip("[] ") == table
            best = number if inside else best
        elif inside and keys and stripped.split("=", 1)[0].strip().strip('"') == keys[-1]:
            return number
    return best
