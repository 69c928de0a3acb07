"""A configuration tried before it is used: each partner's document made for a sample RA and read back, each case beside a profile read and compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from gateway import bootstrap, config
from gateway.domain.documents import Authorization, AuthorizationLine
from gateway.jobs.transmission import WRITERS
from gateway.mapping import readers
from gateway.mapping.outbound import Controls, UnsendableError, file_name
from gateway.mapping.profiles import Profile

SAMPLE_TIME = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
NO_DATE = date(2000, 1, 1)  # what a row without a date is read as in a case


def try_documents(workspace: config.Workspace) -> list[str]:
    """What keeps a partner's template from making a document of a sample RA, as original, change and cancel."""
    read = bootstrap.template_reader(workspace)
    faults = []
    for profile in workspace.profiles.values():
        ra = sample_authorization(workspace, profile)
        for purpose in ("original", "change", "cancel"):
            fault = _try_document(ra, profile, read(profile.send.template), purpose)
            if fault:
                faults.append(f"mappings of {profile.partner}: a sample {profile.send.document} ({purpose}) cannot be sent: {fault}")
                break
    return faults


def _try_document(ra: Authorization, profile: Profile, template: str, purpose: str) -> str:
    controls = Controls(interchange=1, group=1)
    try:
        file_name(profile.send.file_name, partner=profile.partner, ra=ra.ra, document="X", controls=controls, number=1, at=SAMPLE_TIME)
        WRITERS[profile.send.kind.syntax]([ra], profile=profile, template=template, controls=controls, purpose=purpose, at=SAMPLE_TIME)
    except UnsendableError as fault:
        return fault.message
    return ""


def sample_authorization(workspace: config.Workspace, profile: Profile) -> Authorization:
    """An RA of the first items, as long as the merchant's pattern makes it."""
    items = list(workspace.catalogue.by_sku.values())[:3]
    lines = tuple(
        AuthorizationLine(
            line_no=place,
            sku=item.sku,
            upc=item.upc,
            title=item.title,
            quantity=place,
            unit_ids=tuple(str(place * 10 + unit) for unit in range(place)),
            value=Decimal("10.00"),
            tax=Decimal("0.80"),
            reason="Too big",
            comment="The left one, not the right",
        )
        for place, item in enumerate(items, 1)
    )
    return Authorization(
        ra=workspace.settings.merchant.ra_pattern.format(rma="99999999"),
        rma="99999999",
        version=1,
        partner=profile.partner,
        warehouse=next((w.code for w in workspace.settings.warehouses if w.partner == profile.partner), "W1"),
        order_id="5000009999",
        order_name="#9999",
        currency="USD",
        created_at=SAMPLE_TIME,
        lines=lines,
        carrier="UPS",
        tracking_numbers=("1Z999AA10123456784",),
        shopper="O'Neil, Zoë",
        expected_on=date(2026, 1, 22),
    )


def try_cases(workspace: config.Workspace, told: list[str]) -> list[str]:
    """Where a case in `mappings/PARTNER.cases/` is not read as its `expected.json` says."""
    folder = workspace.root / workspace.settings.places.mappings
    faults: list[str] = []
    count = 0
    for profile in workspace.profiles.values():
        home = next((h for h in (folder / f"{profile.partner}.cases", folder / f"{profile.partner.lower()}.cases") if h.is_dir()), None)
        for case in sorted(path for path in home.iterdir() if path.is_dir()) if home else ():
            count += 1
            faults += _try_case(case, profile, workspace)
    if count:
        told.append(f"{count} case(s) read")
    return faults


def _try_case(case: Path, profile: Profile, workspace: config.Workspace) -> list[str]:
    place = f"{case.parent.name}/{case.name}"
    given = sorted(case.glob("input.*"))
    expected = case / "expected.json"
    if len(given) != 1 or not expected.is_file():
        return [f"{place}: a case is one file input.* and one expected.json"]
    try:
        wanted = json.loads(expected.read_text(encoding="utf-8"))
    except ValueError as fault:
        return [f"{place}/expected.json: not valid JSON: {fault}"]
    found = readers.say(given[0].read_bytes(), profile=profile, catalogue=workspace.catalogue, today=NO_DATE)
    if found == wanted:
        return []
    at, was, should = _first_difference(found, wanted)
    return [f"{place}: entry {at} is read as {was}, expected is {should}; correct the profile, or expected.json if the reading is right"]


def _first_difference(found: Sequence[object], wanted: object) -> tuple[int, str, str]:
    listed = wanted if isinstance(wanted, list) else [wanted]
    for at in range(max(len(found), len(listed))):
        was, should = (json.dumps(side[at], ensure_ascii=False) if at < len(side) else "nothing" for side in (found, listed))
        if was != should:
            return at + 1, was, should
    return 1, "a list", "none"
