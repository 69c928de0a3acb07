"""What every reader of this room says about what it reads: findings with a position, words and a remedy.

A finding is a value, never an exception. Its code is stable: profiles waive it, tests name it, the screens group by it.
The X12 acknowledgement code travels with the finding, so that a 997 or TA1 is built from findings alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters: a note is shown, an error keeps the set, group or interchange from being used."""

    NOTE = "note"
    ERROR = "error"


class Scope(StrEnum):
    """What a finding spoils: *this set* and *this file* are different kinds of bad input."""

    SET = "set"
    GROUP = "group"
    INTERCHANGE = "interchange"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as the standard or the table says; all positions count from 1, as people do."""

    code: str
    severity: Severity
    scope: Scope
    message: str
    remedy: str
    offset: int = 0
    line: int | None = None
    segment: int | None = None
    tag: str | None = None
    element: int | None = None
    component: int | None = None
    element_number: str | None = None
    value: str | None = None
    ack: str | None = None
    ack_kind: str | None = None

    def where(self) -> str:
        """The position in words: `segment 7 (W07), element 02, byte 412`; in a flat file `line 3, column 5`."""
        if self.line is not None and not self.tag and self.segment is None:
            return f"line {self.line}" + (f", column {self.element}" if self.element is not None else "")
        words = []
        if self.segment is not None:
            words.append(f"segment {self.segment}" + (f" ({self.tag})" if self.tag else ""))
        elif self.tag:
            words.append(self.tag)
        if self.element is not None:
            words.append(f"element {self.element:02d}" + (f" component {self.component}" if self.component else ""))
        if self.line is not None:
            words.append(f"line {self.line}")
        if self.offset:
            words.append(f"byte {self.offset}")
        return ", ".join(words) or "the file"


def with_lines(findings: Iterable[Finding], lines: Mapping[int, int]) -> list[Finding]:
    """The findings, each with the line on which its offset stands, where that is known."""
    return [finding if finding.line or finding.offset not in lines else replace(finding, line=lines[finding.offset]) for finding in findings]


def has_error(findings: list[Finding]) -> bool:
    """Whether any of the findings is an error."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def number(text: str) -> int | str:
    """A count or control number for comparison; the text itself when it is no number."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 20 else text
