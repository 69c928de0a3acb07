"""What reading one file comes to, while it is being read: what was applied, what was not and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.edi.syntax import Finding
from gateway.errors import PermanentError
from gateway.mapping.profiles import Profile
from gateway.store.files import File


class StopFileError(PermanentError):
    """The whole file is put aside."""

    def __init__(self, outcome: str, problem: Problem) -> None:
        super().__init__(problem.message)
        self.outcome = outcome
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong, for the side file."""

    document: str
    message: str
    where: str
    remedy: str

    @classmethod
    def of(cls, finding: Finding, document: str) -> Problem:
        """A finding in plain words."""
        value = f" (found {finding.value!r})" if finding.value and finding.value not in finding.message else ""
        return cls(document=document, message=finding.message + value, where=finding.where(), remedy=finding.remedy)


MOST_DETAILS = 200  # a file of 100,000 documents may have a finding in each; the side file shows no more


@dataclass(slots=True)
class Reading:
    """What reading a file comes to."""

    file: File
    profile: Profile
    applied: int = 0
    duplicates: list[str] = field(default_factory=list)
    held: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    rest: bytes | None = None
    control: str = ""
    sender: str = ""
    again: bool = False
    accept_control: bool = False

    @property
    def counts(self) -> tuple[int, int]:
        """How much was applied and found again so far."""
        return self.applied, len(self.duplicates)

    def detail(self, text: str) -> None:
        """Keep a technical detail for the side file, as long as it has room."""
        if len(self.details) < MOST_DETAILS:
            self.details.append(text)

    def remark(self, text: str) -> None:
        """Keep a remark on one of many documents, as long as there is room; what is said of the document stands in its events."""
        if len(self.remarks) < MOST_DETAILS:
            self.remarks.append(text)

    def go_back(self, counts: tuple[int, int]) -> None:
        """Forget what was undone since."""
        self.applied = counts[0]
        del self.duplicates[counts[1] :]
