"""A partner in words: how its documents go and come, and what has been proven with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.mapping.profiles import Profile
from gateway.store import overview
from gateway.views import rehearsals, today

DOCUMENTS = {
    "856": "an X12 856 (ship notice)",
    "943": "an X12 943 (stock transfer)",
    "180": "an X12 180 (return authorization)",
    "desadv": "an EDIFACT DESADV",
    "retann": "an EDIFACT RETANN",
    "csv": "a CSV file",
    "fixed": "a file of fixed columns",
    "xlsx": "an XLSX sheet",
}


RECEIPTS = {
    "x12_861": "Receipts come as X12 861 too.",
    "x12_180": "Receipts come as X12 180 too.",
    "recadv": "Receipts come as EDIFACT RECADV.",
    "fixed_receipt": "Receipts come in fixed columns.",
    "xlsx_receipt": "Receipts come as XLSX.",
    "stock": "The partner reports its stock, which is compared with the ledger.",
}
DAY_NAMES = {"mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that has to work with a partner, and whether it was seen to."""

    what: str
    done: bool
    how: str


def overview_of(connection: Connection, profiles: Mapping[str, Profile], *, now: datetime) -> list[dict[str, Any]]:
    """Every partner with how it is doing."""
    return [row | {"profile": profiles[row["partner"]]} for row in today.partners(connection, profiles, now=now)]


def in_words(profile: Profile) -> list[str]:
    """The profile in sentences."""
    return [text for text in (*_sending(profile), *_receiving(profile)) if text]


def _sending(profile: Profile) -> Iterable[str]:
    send = profile.send
    kind = DOCUMENTS.get(send.document, send.document)
    together = f"up to {send.batch} RAs in one file" if send.batch > 1 else "one RA in each file"
    yield f"We tell {profile.name} of a return with {kind} made from templates/{send.template}, {together}, named {send.file_name}."
    if profile.x12:
        yield (
            f"Interchanges are X12 {profile.x12.version}, {'production' if profile.x12.usage == 'P' else 'test'}: we are "
            f"{profile.x12.our_qualifier} {profile.x12.our_id}, the partner is {profile.x12.partner_qualifier} {profile.x12.partner_id}."
        )
    if send.expect_acknowledgement and profile.x12:
        yield f"An acknowledgement is expected within {send.acknowledgement_hours:g} hours; then it counts as overdue."
    else:
        yield "No acknowledgement is expected."
    yield f"RA numbers have at most {send.ra_limit} characters." + (" Sending is paused: documents queue." if send.paused else "")
    yield "A cancelled or changed RA is told by " + (
        "a document." if send.cancel == send.change == "document" else "a person, through the work list."
    )


def _receiving(profile: Profile) -> Iterable[str]:
    receive, folders = profile.receive, profile.folders
    if receive.x12_receipt:
        damaged = {"included": "inside the received quantity", "on_top": "on top of the received quantity"}[receive.x12_receipt.damaged_quantity]
        yield f"Receipts come as X12 944; the RA stands in {', then '.join(receive.x12_receipt.ra)}; damaged units are counted {damaged}."
    if receive.csv_receipt:
        conditions = ", ".join(f"{theirs} is {ours}" for theirs, ours in receive.csv_receipt.conditions.items())
        yield f"Receipts come as CSV, separated by {receive.csv_receipt.delimiter!r}; of conditions, {conditions}."
    yield f"A file is taken when it has kept still for {folders.settle_seconds:g} seconds" + (
        f" and {folders.trigger} lies beside it." if folders.trigger else "."
    )
    yield f"A receipt whose RA is not known yet waits {receive.wait_for_ra_hours:g} hours before a person is asked."
    if receive.corrections == "replace":
        yield "The same receipt number with other lines replaces the first."
    else:
        yield "The same receipt number with other lines waits for a person."
    yield from (words for key, words in RECEIPTS.items() if getattr(receive, key))
    if profile.cross_references:
        yield f"{len(profile.cross_references)} of their item numbers are mapped to our SKUs."


def calendar_in_words(profile: Profile) -> list[str]:
    """When a partner works, and after how long without a file someone is told."""
    calendar = profile.calendar
    days = "every day" if len(calendar.working_days) == len(DAY_NAMES) else ", ".join(DAY_NAMES[day] for day in calendar.working_days)
    closed = ", ".join(f"{day:%d %b %Y}" for day in calendar.holidays)
    return [
        f"It works {days}, {calendar.hours}, in {calendar.zone}" + (f"; not on {closed}." if closed else "."),
        f"An alert is raised after {calendar.quiet_after_hours:g} of these hours without a file.",
    ]


def checklist(connection: Connection, profile: Profile) -> list[Check]:
    """What has been proven with a partner, from the book."""
    sent = overview.last_file(connection, partner=profile.partner, direction="out")
    come = overview.last_file(connection, partner=profile.partner, direction="in")
    checks = [
        Check(what="The profile is complete", done=True, how="checked as a whole at every start"),
        Check(what="A document was sent", done=sent is not None, how="release an RA for one of its warehouses"),
        Check(what="A file of the partner came", done=come is not None, how="ask the partner for a test file, or drop one under Files"),
        Check(
            what="A receipt was applied",
            done=overview.was_applied(connection, profile.partner),
            how="look at the reason of the last file that was not used",
        ),
        Check(what="The partner is live", done=profile.stage == "live", how=f'stage is "{profile.stage}" in mappings/'),
    ]
    if profile.send.expect_acknowledgement and profile.x12:
        done = overview.was_acknowledged(connection, profile.partner)
        checks.insert(2, Check(what="A document was acknowledged", done=done, how="ask the partner for a 997 of the document that was sent"))
    if not profile.is_live:
        cases = rehearsals.checklist(connection, partner=profile.partner)
        checks[-1:-1] = [Check(what=f"Test case {c.case}: {c.what}", done=c.done, how=c.shown_by or c.waived or "send it in testing") for c in cases]
    return checks
