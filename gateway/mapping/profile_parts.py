"""The parts of a profile that say how single documents look: what a partner's owner writes under `[edifact]`, `[send.*]` and `[receive.*]`.

Codes of the standards come with their standard meaning; everything the standards leave open has no default and must be said (R-080). A meaning is one of
`good`, `second`, `short`, `over` and `ignore`; `received` and `announced` are counts that say nothing about condition.
"""

from __future__ import annotations

import codecs
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Condition = Literal["good", "second", "short", "over", "ignore"]
Count = Literal["good", "second", "short", "received", "announced", "ignore"]
Sense = Literal["included", "on_top"]
ITEMS_X12 = ("SK", "VN", "UP", "EN", "UK", "PN", "SW", "IN", "BP")
PIECES = {"EA": 1, "PC": 1, "UN": 1}


class Kind(NamedTuple):
    """A kind of document that we send: its syntax, the longest RA number it holds, and what a profile need not say."""

    syntax: Literal["x12", "edifact", "flat"]
    ra_limit: int
    template: str
    suffix: str


KINDS = {
    "856": Kind("x12", 30, "856.x12.j2", ".edi"),
    "943": Kind("x12", 22, "943.x12.j2", ".edi"),
    "180": Kind("x12", 30, "180.x12.j2", ".edi"),
    "desadv": Kind("edifact", 35, "desadv.edifact.j2", ".edi"),
    "retann": Kind("edifact", 35, "retann.edifact.j2", ".edi"),
    "csv": Kind("flat", 60, "ra.csv.j2", ".csv"),
    "fixed": Kind("flat", 60, "ra.csv.j2", ".txt"),
    "xlsx": Kind("flat", 60, "ra.csv.j2", ".xlsx"),
}


def _known_encoding(name: str) -> str:
    """An encoding that can be read and written; empty where it may be found from the file."""
    try:
        codecs.lookup(name or "utf-8")
    except LookupError as fault:
        raise ValueError(f'{name!r} is no encoding; write one like "utf-8", "cp1252" or "utf-16"') from fault
    return name


Encoding = Annotated[str, AfterValidator(_known_encoding)]


class Part(BaseModel):
    """A table of a profile; a key that is not known is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EdifactIdentity(Part):
    """Both sides' identifiers and how we write EDIFACT (reading takes the service characters from the file)."""

    partner_id: str = Field(min_length=1, max_length=35)
    partner_qualifier: str = Field(default="", max_length=4)
    our_id: str = Field(min_length=1, max_length=35)
    our_qualifier: str = Field(default="", max_length=4)
    syntax: Literal[
        "UNOA", "UNOB", "UNOC", "UNOD", "UNOE", "UNOF", "UNOG", "UNOH", "UNOI", "UNOJ", "UNOK", "UNOL", "UNOW", "UNOX", "UNOY"
    ] = "UNOC"  # fmt: skip
    syntax_version: Literal["1", "2", "3", "4"] = "3"
    version: str = Field(default="D:96A:UN", pattern=r"^[A-Z0-9]+:[A-Z0-9]+:[A-Z0-9]+(:[A-Z0-9]+)?$")
    usage: Literal["P", "T"] = "P"
    application: str = Field(default="", max_length=14)
    ack_requested: bool = False
    service_string: bool = True
    component: str = ":"
    element: str = "+"
    decimal: Literal[".", ","] = "."
    release: str = "?"
    terminator: str = "'"
    line_break: bool = True
    first_control: int = 1


class FixedField(Part):
    """Where a value stands in a line of fixed width, in characters from 1; `decimals` are implied ones."""

    start: int = Field(ge=1)
    length: int = Field(ge=1)
    align: Literal["left", "right"] = "left"
    fill: str = Field(default=" ", min_length=1, max_length=1)
    decimals: int = Field(default=0, ge=0, le=6)


class FixedLayout(Part):
    """Lines of fixed width, of one kind, or of up to three kinds told apart by a mark."""

    line: dict[str, FixedField]
    header: dict[str, FixedField] = {}
    trailer: dict[str, FixedField] = {}
    mark: FixedField | None = None
    marks: dict[Literal["header", "line", "trailer"], str] = {}
    line_length: int = 0
    encoding: Encoding = "ascii"
    line_end: Literal["crlf", "lf"] = "crlf"

    @model_validator(mode="after")
    def _told_apart(self) -> FixedLayout:
        kinds = {"line", *(["header"] if self.header else []), *(["trailer"] if self.trailer else [])}
        if len(kinds) > 1 and (self.mark is None or set(self.marks) < kinds):
            raise ValueError(f"lines of {len(kinds)} kinds need `mark` (where their mark stands) and `marks` for {', '.join(sorted(kinds))}")
        for kind in ("line", "header", "trailer"):
            _check_overlap(kind, getattr(self, kind), self.line_length)
        return self


def _check_overlap(kind: str, fields: dict[str, FixedField], line_length: int) -> None:
    end, before = 0, ""
    for name, field in sorted(fields.items(), key=lambda pair: pair[1].start):
        if field.start <= end:
            raise ValueError(f"{kind}.{name} begins at {field.start}, but {before} reaches to {end}")
        end, before = field.start + field.length - 1, name
    if line_length and end > line_length:
        raise ValueError(f"{kind}.{before} reaches to {end}, a line has {line_length} characters")


class SendCsv(Part):
    """How a CSV is written."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: Encoding = "utf-8"
    quote_all: bool = False
    header: bool = True
    line_end: Literal["crlf", "lf"] = "crlf"


class SendXlsx(Part):
    """How a spreadsheet is written."""

    sheet: str = Field(default="Returns", min_length=1, max_length=31)


class Read861(Part):
    """Where an 861 states what (x12 section 7.5); places are tried in order."""

    ra: tuple[str, ...] = ("REF*RZ", "REF*QJ", "REF*OD")
    receipt_number: tuple[str, ...] = ("BRA-01",)
    received_on: tuple[str, ...] = ("DTM*050", "BRA-02")
    tracking: tuple[str, ...] = ("REF*2I", "REF*CN")
    order: tuple[str, ...] = ("REF*CO", "PRF-01")
    warehouse: tuple[str, ...] = ()
    warehouses: dict[str, str] = {}
    items: tuple[str, ...] = ITEMS_X12
    damaged_quantity: Sense
    returned: Condition | None = None
    final: tuple[str, ...] = ("REF*ZZ=FINAL",)
    units: dict[str, int] = PIECES
    conditions: dict[str, Condition] = {
        "01": "second", "02": "short", "03": "over", "04": "second", "05": "second", "06": "good", "07": "good", "08": "short", "09": "second",
        "10": "second", "12": "short", "13": "good", "14": "good", "16": "short",
    }  # fmt: skip


class Read180(Part):
    """Where a 180 that answers ours states what came (x12 section 7.4); `damaged_quantity = "listed"`: BLI03 is what was announced, QTY counts."""

    purposes: tuple[str, ...] = ("11",)
    ra: tuple[str, ...] = ("N9*RZ", "N9*QJ", "BGN-06")
    receipt_number: tuple[str, ...] = ("BGN-02",)
    received_on: tuple[str, ...] = ("DTM*050", "DTM*324", "BGN-03")
    tracking: tuple[str, ...] = ("N9*2I",)
    order: tuple[str, ...] = ("N9*CO", "PRF-01")
    warehouse: tuple[str, ...] = ()
    warehouses: dict[str, str] = {}
    items: tuple[str, ...] = ITEMS_X12
    damaged_quantity: Literal["included", "on_top", "listed"]
    final: tuple[str, ...] = ("N9*ZZ=FINAL",)
    units: dict[str, int] = PIECES
    quantities: dict[str, Count] = {
        "87": "received", "QD": "received", "QA": "good", "74": "second", "20": "second", "86": "second", "QC": "second", "QH": "second",
        "SH": "short", "12": "announced", "38": "announced", "39": "announced",
    }  # fmt: skip
    dispositions: dict[str, Literal["good", "second", "ignore"]] = {}


class ReadRecadv(Part):
    """Where a RECADV states what (edifact section 3); `RFF+ALQ` is the value under a qualifier, `BGM-2` an element."""

    ra: tuple[str, ...] = ("RFF+ALQ", "RFF+AAK")
    receipt_number: tuple[str, ...] = ("BGM-2",)
    received_on: tuple[str, ...] = ("DTM+50", "DTM+35", "DTM+137")
    tracking: tuple[str, ...] = ("RFF+CN",)
    order: tuple[str, ...] = ("RFF+ON", "RFF+CR")
    warehouse: tuple[str, ...] = ()
    warehouses: dict[str, str] = {}
    items: tuple[str, ...] = ("SA", "SK", "VN", "BP", "IN", "UP", "EN", "SRV")
    damaged_quantity: Sense
    final: tuple[str, ...] = ("RFF+ZZZ=FINAL",)
    units: dict[str, int] = {"": 1, "PCE": 1, "EA": 1, "C62": 1, "NMB": 1}
    quantities: dict[str, Count] = {
        "48": "received", "46": "received", "194": "good", "195": "second", "196": "second", "124": "second", "185": "second", "218": "second",
        "119": "short", "12": "announced", "21": "announced",
    }  # fmt: skip
    states: dict[str, Literal["good", "second", "short", "ignore"]] = {
        "2": "short", "3": "second", "4": "second", "5": "good", "6": "second", "7": "second",
    }  # fmt: skip
    discrepancies: dict[str, Literal["second", "short", "ignore"]] = {
        "AC": "ignore",
        "AE": "ignore",
        "AF": "second",
        "AG": "ignore",
        "CP": "short",
        "BP": "ignore",
    }
    check_total: bool = True


class ReadStock(Part):
    """What the counts of an 846, 947 or INVRPT mean; they are kept to be compared, and never book a return."""

    items: tuple[str, ...] = (*ITEMS_X12, "SA", "SRV")
    units: dict[str, int] = {"": 1, "EA": 1, "PC": 1, "UN": 1, "PCE": 1, "C62": 1, "NMB": 1}
    warehouse: tuple[str, ...] = ("N1*WH", "NAD+GY", "NAD+WH", "NAD+DP")
    warehouses: dict[str, str] = {}
    quantities: dict[str, Literal["good", "second", "ignore"]] = {"33": "good", "QH": "second", "17": "good", "145": "good", "215": "second"}
    states: dict[str, Literal["good", "second", "ignore"]] = {"1": "good", "2": "second"}
    reasons: dict[str, Literal["good", "second", "ignore"]] = {}


class ReadFlat(Part):
    """What the values of a flat file mean, whichever way they are laid out."""

    date_format: str = "iso"
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    conditions: dict[str, Literal["good", "second", "short", "ignore"]] = {}
    damaged_quantity: Sense | None = None
    final_values: tuple[str, ...] = ("Y", "YES", "TRUE", "1", "FINAL")
    group_by: tuple[Literal["receipt_number", "ra", "received_on"], ...] = ("receipt_number", "ra")
    numbered_as: str = ""
    carry_down: tuple[str, ...] = ()
    warehouses: dict[str, str] = {}


COLUMNS: dict[str, tuple[str | int, ...]] = {
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
    "grade": ("grade",),
    "disposition": ("disposition",),
    "photos": ("photos", "photo_urls", "images"),
}


class ReadCsvReceipt(ReadFlat):
    """Which columns of a delimited receipt mean what; each meaning lists the header names in use, or column numbers from 1."""

    delimiter: str = ","
    quote: str = '"'
    encoding: Encoding = ""
    header: bool = True
    columns: dict[str, tuple[str | int, ...]] = COLUMNS
    required: tuple[str, ...] = ()
    record_column: int | None = None
    records: dict[str, Literal["header", "line", "trailer", "ignore"]] = {}
    header_columns: dict[str, int] = {}
    trailer_columns: dict[str, int] = {}

    @model_validator(mode="after")
    def _agrees(self) -> ReadCsvReceipt:
        if self.records and (self.record_column is None or "line" not in self.records.values()):
            raise ValueError('`records` needs `record_column` (from 1), and one of them must be "line"')
        check_style(self, {*self.columns, *self.header_columns})
        return self

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return self.required or needed_of(self, set(self.columns))


class ReadXlsxReceipt(ReadFlat):
    """Which columns of a spreadsheet mean what; the header is looked for in the first rows of the sheet."""

    sheet: str = ""
    columns: dict[str, tuple[str | int, ...]] = COLUMNS
    required: tuple[str, ...] = ()
    header_within: int = 20

    @model_validator(mode="after")
    def _agrees(self) -> ReadXlsxReceipt:
        check_style(self, set(self.columns))
        return self

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return self.required or needed_of(self, set(self.columns))


class ReadFixedReceipt(ReadFlat):
    """Which positions of a receipt of fixed width mean what."""

    layout: FixedLayout

    @model_validator(mode="after")
    def _agrees(self) -> ReadFixedReceipt:
        check_style(self, {*self.layout.line, *self.layout.header})
        return self


def check_style(rules: ReadFlat, meanings: set[str]) -> None:
    """A row tells its units by a condition, by columns of their own, or by a column of damaged ones beside the received: then it must be said how."""
    if "good" not in meanings and "quantity" not in meanings:
        raise ValueError("no column says how many: name `quantity`, or `good`")
    if "good" in meanings and "quantity" in meanings:
        raise ValueError("name either `quantity` (with `condition` or `second` beside it) or `good`, not both")
    if "quantity" in meanings and "second" in meanings and rules.damaged_quantity is None:
        raise ValueError(
            'damaged_quantity must be set: "included" when the column `quantity` contains the units of `second`, "on_top" when they come on top; '
            "ask the partner"
        )
    if "condition" in meanings and not rules.conditions:
        raise ValueError("conditions must be set: what each word in the column `condition` means (good, second, short, ignore)")
    if not {"sku", "upc"} & meanings:
        raise ValueError("no column names the item: name `sku` or `upc`")
    try:
        rules.numbered_as.format(ra="", received_on="")
    except (KeyError, IndexError, ValueError) as fault:
        raise ValueError(f"numbered_as {rules.numbered_as!r} has an unknown token {fault}; known: ra, received_on") from fault
    if "receipt_number" not in meanings and not rules.numbered_as:
        raise ValueError('no column holds the receipt number: name it, or set numbered_as, for instance "{ra}-{received_on}"')


def needed_of(rules: ReadFlat, meanings: set[str]) -> tuple[str, ...]:
    """The columns without which a row cannot be understood."""
    wanted = ("receipt_number", "ra", "quantity", "good", "second", "condition")
    return tuple(meaning for meaning in wanted if meaning in meanings)
