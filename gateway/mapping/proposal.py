"""From a few sample receipts of a partner: what each column seems to mean, how sure that is, and why (R-165).

A column's header and its values speak for themselves and are weighed against each other; each meaning goes to one column, the surest first. Nothing here
decides: a person confirms. A condition code whose word is not plain is always to be confirmed, for a wrong guess sells damaged goods.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.errors import PermanentError

DELIMITERS = ",;\t|"
CONFIRM = "needs confirmation"
SURE, LIKELY = 0.75, 0.4
HEADERS: dict[str, str] = {
    "ra": r"^(ra|rma)([ _-]?(no|nr|num|number|id|ref))?$|auth|return[ _-]?(no|nr|number|id|ref)|retoure",
    "receipt_number": r"receipt|^(wr|grn|asn)|whse.*ref|^doc|beleg",
    "sku": r"^sku|item|article|artikel|^style|product|^part",
    "upc": r"upc|ean|gtin|barcode",
    "quantity": r"^q(ty|uantity)?$|qty|quant|pieces|^pcs|units|menge|^count|received$",
    "condition": r"cond|disp|grade|quality|^status|zustand|^cd$",
    "received_on": r"date|received.?(at|on)|^day|datum|time",
    "tracking": r"track|carrier|parcel|awb",
    "order": r"order|^so$|^po$",
    "final": r"final|last|complete|closed",
    "note": r"note|comment|remark|descr|bemerk",
}
PLAIN = {
    "good": {"good", "new", "ok", "sellable", "a-grade", "grade a", "resale", "mint", "like new", "a grade"},
    "second": {"damaged", "damage", "defective", "second", "b-grade", "grade b", "soiled", "used", "worn", "unsellable", "broken", "b grade"},
    "short": {"missing", "short", "not received", "lost"},
    "ignore": {"over-ignored"},
}
DATES = re.compile(r"^(\d{4}-\d{2}-\d{2}([T ].*)?|\d{8}|\d{1,2}[./]\d{1,2}[./]\d{2,4})$")


class NoSampleError(PermanentError):
    """There is nothing to learn from: give at least one file with a header line and a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column seems to mean. `confidence` from 0 to 1; `evidence` in words."""

    header: str
    meaning: str
    confidence: float
    evidence: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """How much a person has to look at it."""
        return "sure" if self.confidence >= SURE else "likely" if self.confidence >= LIKELY else CONFIRM


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a condition code seems to mean."""

    code: str
    meaning: str
    seen: int
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed layout of a partner's CSV receipts."""

    delimiter: str
    rows: int
    columns: tuple[Column, ...]
    codes: tuple[Code, ...]
    missing: tuple[str, ...]

    def meaning(self, header: str) -> str:
        """What a column is proposed for; empty for none."""
        return next((column.meaning for column in self.columns if column.header == header), "")

    def as_toml(self) -> str:
        """The part of a profile that says this; what is to be confirmed is left out, with a remark, so that nothing is guessed."""
        lines = [
            "[receive.csv_receipt]",
            f"delimiter = {_quoted(self.delimiter)}",
            "",
            "[receive.csv_receipt.columns]",
        ]
        lines += [
            f"{c.meaning} = [{_quoted(c.header)}]  # {c.verdict}, {c.confidence:.0%}: {'; '.join(c.evidence)}" for c in self.columns if c.meaning
        ]
        lines += ["", "[receive.csv_receipt.conditions]"]
        for code in self.codes:
            if code.verdict == CONFIRM:
                lines.append(f'# {_quoted(code.code)} = "good" or "second" or "short"?  {CONFIRM}: ask the partner ({code.seen} rows)')
            else:
                lines.append(f'{_quoted(code.code)} = "{code.meaning}"  # {code.seen} rows')
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class _Sample:
    delimiter: str
    headers: list[str]
    values: dict[str, list[str]] = field(default_factory=dict)
    rows: int = 0


def propose(files: Sequence[bytes], *, skus: Collection[str] = (), upcs: Collection[str] = (), ras: Collection[str] = ()) -> Proposal:
    """Propose what the columns of some sample receipts mean; known items and RAs make it surer."""
    samples = [sample for sample in map(_read, files) if sample.rows]
    if not samples:
        raise NoSampleError
    tests = _value_tests({sku.upper() for sku in skus}, set(upcs), {ra.upper() for ra in ras})
    joined = _join(samples)
    scored = [_score(header, meaning, values, tests) for header, values in joined.items() for meaning in HEADERS]
    columns = _choose(scored, list(joined))
    condition = next((c.header for c in columns if c.meaning == "condition"), "")
    found = {c.meaning for c in columns}
    return Proposal(
        delimiter=samples[0].delimiter,
        rows=sum(sample.rows for sample in samples),
        columns=tuple(columns),
        codes=tuple(_codes(joined.get(condition, []))),
        missing=tuple(meaning for meaning in ("receipt_number", "ra", "sku", "quantity", "condition") if meaning not in found),
    )


def _read(content: bytes) -> _Sample:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    first = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]
    sample = _Sample(delimiter, [cell.strip() for cell in rows[0]] if rows else [])
    for row in rows[1:]:
        sample.rows += 1
        for header, cell in zip(sample.headers, row, strict=False):
            sample.values.setdefault(header, []).append(cell.strip())
    return sample


def _join(samples: Sequence[_Sample]) -> dict[str, list[str]]:
    joined: dict[str, list[str]] = {}
    for sample in samples:
        for header in sample.headers:
            joined.setdefault(header, []).extend(sample.values.get(header, []))
    return joined


Test = tuple[Callable[[str], bool], str, float]


def _value_tests(skus: Collection[str], upcs: Collection[str], ras: Collection[str]) -> Mapping[str, tuple[Test, ...]]:
    """What values of each meaning look like: a test, its words, and its weight."""
    return {
        "ra": (
            (lambda v: v.upper() in ras, "are RA numbers of the book", 0.9),
            (lambda v: re.match(r"^R(M)?A[-_ ]?\d{4,}", v, re.I) is not None, "look like RA numbers", 0.6),
        ),
        "receipt_number": ((lambda v: re.match(r"^(WR|GRN|RCT|R[CP]?)[-_ ]?\d+$", v, re.I) is not None, "look like receipt numbers", 0.45),),
        "sku": (
            (lambda v: v.upper() in skus, "are SKUs of the items list", 0.9),
            (lambda v: re.match(r"^[A-Z0-9]+(-[A-Z0-9]+)+$", v) is not None, "look like SKUs", 0.35),
        ),
        "upc": (
            (lambda v: v in upcs, "are UPCs of the items list", 0.9),
            (lambda v: re.match(r"^\d{12,14}$", v) is not None, "have 12 to 14 digits", 0.6),
        ),
        "quantity": ((lambda v: v.isdigit() and int(v) < 1000, "are small whole numbers", 0.45),),
        "condition": (
            (lambda v: any(v.lower() in words for words in PLAIN.values()), "are plain words of condition", 0.7),
            (lambda v: re.match(r"^[A-Za-z]{1,3}$", v) is not None, "are short codes", 0.3),
        ),
        "received_on": ((lambda v: DATES.match(v) is not None, "are dates", 0.55),),
        "tracking": ((lambda v: re.match(r"^1Z[0-9A-Z]{16}$|^\d{15,22}$", v) is not None, "look like tracking numbers", 0.6),),
        "order": ((lambda v: re.match(r"^#\d+$", v) is not None, "look like order names", 0.5),),
        "final": ((lambda v: v.upper() in ("Y", "N", "YES", "NO", "TRUE", "FALSE"), "are yes or no", 0.3),),
        "note": ((lambda v: v.count(" ") > 1, "are sentences", 0.3),),
    }


def _score(header: str, meaning: str, values: Sequence[str], tests: Mapping[str, tuple[Test, ...]]) -> Column:
    score, evidence = 0.0, []
    if re.search(HEADERS[meaning], header.strip().lower()):
        score += 0.45
        evidence.append(f"the header is {header!r}")
    filled = [value for value in values if value]
    shares = [(sum(map(test, filled)) / len(filled) if filled else 0.0, words, weight) for test, words, weight in tests[meaning]]
    share, words, weight = max(shares, key=lambda s: s[0] * s[2])
    if share > 0.5:
        score += share * weight
        evidence.append(f"{share:.0%} of its values {words}")
    return Column(header=header, meaning=meaning, confidence=min(score, 1.0), evidence=tuple(evidence))


def _choose(scored: Sequence[Column], headers: Sequence[str]) -> list[Column]:
    """Each meaning to one column and each column to one meaning, the surest first; in the order of the file."""
    chosen: dict[str, Column] = {}
    taken: set[str] = set()
    for column in sorted(scored, key=lambda c: -c.confidence):
        if column.confidence >= 0.3 and column.header not in chosen and column.meaning not in taken:
            chosen[column.header] = column
            taken.add(column.meaning)
    empty = {header: Column(header=header, meaning="", confidence=0.0, evidence=("nothing speaks for a meaning",)) for header in headers}
    return [chosen.get(header, empty[header]) for header in headers]


def _codes(values: Sequence[str]) -> list[Code]:
    """The codes of a condition column, the most frequent first; only a plain word is taken for what it says."""
    found = []
    for code, seen in Counter(value for value in values if value).most_common():
        meaning = next((meaning for meaning, words in PLAIN.items() if code.lower() in words), "")
        found.append(Code(code=code, meaning=meaning, seen=seen, verdict="plain word" if meaning else CONFIRM))
    return found


def _quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{plain}"'
