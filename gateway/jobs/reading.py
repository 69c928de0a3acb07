"""What reading one file comes to, while it is being read: what was applied, what was not and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.domain.documents import Receipt
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


# What becomes of a file, and where it is then put.
AREAS = {"applied": "archive", "partial": "archive", "duplicate": "archive", "error": "error", "held": "error", "quarantine": "quarantine"}
MOST_DETAILS = 200  # of each kind; a file of 100,000 documents may have something in each, and the side file shows no more
LARGEST_REST = 4 * 1024 * 1024  # bytes of documents to correct that are handed back as a file
T = TypeVar("T")


class Firsts(list[T]):
    """The first of what may be many, and how many there were."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def append(self, one: T) -> None:
        """Count one more, and keep it as long as there is room."""
        self.total += 1
        if len(self) < MOST_DETAILS:
            super().append(one)

    def extend(self, more: Iterable[T]) -> None:
        """Count several more."""
        for one in more:
            self.append(one)

    def go_back(self, total: int) -> None:
        """Forget those that came after so many."""
        self.total = total
        del self[total:]


K = TypeVar("K")


@dataclass(slots=True)
class BadParts(Generic[K]):
    """Where the documents lie that were not applied, by the envelopes they are in: first and last byte each, as long as they are worth handing back."""

    spans: dict[K, list[tuple[int, int]]] = field(default_factory=dict)
    size: int = 0

    def add(self, heads: K, start: int, end: int) -> None:
        """Note one more."""
        self.size += end - start
        if self.size <= LARGEST_REST:
            self.spans.setdefault(heads, []).append((start, end))

    @property
    def fit(self) -> bool:
        """Whether there is something to hand back, and not too much."""
        return 0 < self.size <= LARGEST_REST


@dataclass(slots=True)
class Reading:
    """What reading a file comes to.

    `pending` are receipts that are read and not recorded yet (jobs.receipts); `recorded` is what came of all of them, where they were recorded before the rest, and in that
    `unread` are the places of sets that are no usable receipt. A receipt of this
    file up to the number `broken_off_at` was recorded by a reading of it that did not come to its end.
    """

    file: File
    profile: Profile
    applied: int = 0
    duplicates: Firsts[str] = field(default_factory=Firsts)
    held: Firsts[Problem] = field(default_factory=Firsts)
    problems: Firsts[Problem] = field(default_factory=Firsts)
    remarks: Firsts[str] = field(default_factory=Firsts)
    details: Firsts[str] = field(default_factory=Firsts)
    pending: list[tuple[Receipt, bool]] = field(default_factory=list)
    recorded: Reading | None = None
    broken_off_at: int = 0
    unread: set[int] = field(default_factory=set)
    rest: bytes | None = None
    control: str = ""
    sender: str = ""
    again: bool = False
    accept_control: bool = False

    @classmethod
    def stopped(cls, file: File, profile: Profile, problem: Problem) -> Reading:
        """A file of which nothing was applied, for one reason."""
        reading = cls(file=file, profile=profile)
        reading.problems.append(problem)
        return reading

    @property
    def counts(self) -> tuple[int, int]:
        """How much was applied and found again so far."""
        return self.applied, self.duplicates.total

    @property
    def wrong(self) -> list[Problem]:
        """What is told of the documents that were not applied."""
        return [*self.problems, *self.held]

    @property
    def wrong_in_all(self) -> int:
        """How much there would be to tell."""
        return self.problems.total + self.held.total

    def add_recorded(self) -> None:
        """Count what came of the receipts that were recorded before."""
        if self.recorded:
            self.applied += self.recorded.applied
            self.duplicates.extend(self.recorded.duplicates)
            self.held.extend(self.recorded.held)
            self.remarks.extend(self.recorded.remarks)

    def go_back(self, counts: tuple[int, int]) -> None:
        """Forget what was undone since."""
        self.pending.clear()
        self.applied = counts[0]
        self.duplicates.go_back(counts[1])
