"""Is a file for us, from this partner, in the right folder, and new? The same questions for X12 and EDIFACT, asked before anything of it is applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.edi import x12
from gateway.edi.syntax import Finding, Severity
from gateway.jobs.context import Context
from gateway.jobs.reading import Problem, Reading, StopFileError
from gateway.mapping.profiles import Profile
from gateway.store import files

USAGES = {"T": "test", "P": "production", "I": "information"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an envelope says of itself; `sender_at` and `usage_at` are its places in words, `part` is that of the profile."""

    part: str
    sender: str
    control: str
    usage: str
    sender_at: str
    usage_at: str

    @classmethod
    def of_x12(cls, header: x12.InterchangeHeader) -> Claim:
        """What an ISA says."""
        return cls(part="x12", sender=header.sender, control=header.control, usage=header.usage, sender_at="ISA06", usage_at="ISA15")

    @property
    def where(self) -> str:
        """The envelope in words."""
        return f"interchange {self.control}, {self.sender_at} {self.sender}, {self.usage_at} {self.usage}"


def check_claim(ctx: Context, connection: Connection, reading: Reading, claim: Claim) -> None:
    """Stop the whole file when its envelope is not what belongs here.

    A number that was used is taken again after a file that could be used only in part: its bad documents come back corrected, as we handed them out.
    """
    reading.control, reading.sender = reading.control or claim.control, reading.sender or claim.sender
    _check_sender(ctx, reading, claim)
    _check_usage(reading, claim)
    earlier = files.same_control(connection, partner=reading.profile.partner, sender=claim.sender, control=claim.control, before=reading.file.id)
    if earlier and earlier.outcome == "partial":
        reading.remarks.append(f"continues {earlier.name}, of which not all could be used")
    elif earlier and not reading.accept_control:
        message = f"The interchange number {claim.control} was used before with other content, in {earlier.name}."
        remedy = (
            f"if it is a new document, replay it with `gateway replay {reading.file.id} --accept-control`; if it is a mistake, ask for a new number"
        )
        raise StopFileError("held", Problem(document="The whole file", message=message, where=claim.where, remedy=remedy))


def _partner_id(profile: Profile, part: str) -> str:
    identity = profile.x12 if part == "x12" else profile.edifact
    return identity.partner_id if identity else ""


def _check_sender(ctx: Context, reading: Reading, claim: Claim) -> None:
    profile = reading.profile
    ours = _partner_id(profile, claim.part)
    if not ours or claim.sender == ours:
        return
    other = next((p for p in ctx.profiles.values() if claim.sender and _partner_id(p, claim.part) == claim.sender), None)
    if other:
        message = f"The file is from {other.partner}, but lies in {profile.partner}'s folder."
        remedy = f"drop it into {other.partner}'s inbox; nothing of it was applied"
    else:
        message = f"The sender {claim.sender!r} is not known: {profile.partner} is set up as {ours!r}."
        remedy = f"if the partner changed its id, change {claim.part}.partner_id in its profile and drop the file again"
    raise StopFileError("error", Problem(document="The whole file", message=message, where=claim.where, remedy=remedy))


def _check_usage(reading: Reading, claim: Claim) -> None:
    """Test and production never mix (R-141)."""
    identity = reading.profile.x12 if claim.part == "x12" else reading.profile.edifact
    expected = "T" if reading.file.folder == "test" else (identity.usage if identity else "P")
    if claim.usage == expected:
        return
    message = f"The file is marked {USAGES.get(claim.usage, claim.usage)} ({claim.usage_at} {claim.usage}), but lies in the {USAGES[expected]} inbox."
    remedy = "send it with the right usage indicator, or drop it into the right inbox; nothing of it was applied"
    raise StopFileError("quarantine", Problem(document="The whole file", message=message, where=claim.where, remedy=remedy))


def note_all(reading: Reading, findings: Iterable[Finding], document: str) -> None:
    """Tell findings of a document: errors as problems, all of them in the technical detail."""
    for finding in findings:
        if finding.severity == Severity.ERROR:
            reading.problems.append(Problem.of(finding, document))
        reading.details.append(f"{document}: {finding.code} at {finding.where()}: {finding.message}")


def note_outside(reading: Reading, finding: Finding) -> None:
    """Tell what stands outside every interchange."""
    if finding.severity == Severity.ERROR:
        reading.problems.append(Problem.of(finding, "The file"))
    else:
        reading.remarks.append(finding.message)
    reading.details.append(f"{finding.code} at {finding.where()}: {finding.message}")
