"""The workspace's settings: `gateway.toml`, the partner profiles, the items.

Everything is read and checked as a whole before anything runs; a fault names file, line and remedy, and nothing starts on half a configuration.
Secrets stand in the environment or in files of their own and are only named here (`env:NAME`, `file:PATH`). The environment overrides
the file for what differs between machines (DESIGN section 5). A new key needs a sentence in `docs/settings.md`.
"""

from __future__ import annotations

import csv
import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.domain.documents import Policy, Warehouse
from gateway.domain.items import Catalogue, Item
from gateway.domain.policies import Rules
from gateway.errors import PermanentError
from gateway.mapping.profiles import DEPOSITOR_ORDER_LIMIT, BrokenProfileError, Profile, explain_faults, read_profile
from gateway.settings import Settings

FILE_NAME = "gateway.toml"
YES = ("y", "yes", "true", "1")


class BrokenSettingsError(PermanentError):
    """The settings cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Settings, profiles and items, read and checked together. `version` is the hash of all that was read."""

    root: Path
    settings: Settings
    profiles: Mapping[str, Profile]
    catalogue: Catalogue
    opening_stock: tuple[tuple[str, str, int], ...]
    version: str
    environment: Mapping[str, str]

    @property
    def var(self) -> Path:
        """The gateway's own folder."""
        return self.root / self.settings.places.var

    @property
    def database_url(self) -> str:
        """Where the book is."""
        chosen = self.environment.get("GATEWAY_DATABASE_URL") or self.settings.database.url
        return chosen or f"sqlite:///{self.var / 'gateway.db'}"

    def warehouses(self) -> dict[str, Warehouse]:
        """The warehouses by code."""
        return {
            w.code: Warehouse(
                code=w.code,
                sellable=w.sellable,
                second_quality=w.second_quality or None,
                loop_destination=w.loop_destination or None,
                shopify_location=w.shopify_location or None,
                partner=w.partner or None,
            )
            for w in self.settings.warehouses
        }

    def policy(self) -> Policy:
        """The merchant's rules as the domain knows them."""
        m = self.settings.merchant
        return Policy(
            ra_pattern=m.ra_pattern,
            create_on=m.create_on,
            transmit_in_review=m.transmit_in_review,
            kept_outcomes=frozenset(m.kept_outcomes),
            donate_destinations=frozenset(m.donate_destinations),
            send_shopper=m.send_shopper,
            expected_days=m.expected_days,
            rules=Rules(
                merchant=self.settings.policy.rules(),
                partners={name: profile.policy.rules() for name, profile in self.profiles.items()},
                late_days=self.settings.policy.late_days,
            ),
            partial_wait_seconds=self.settings.periods.partial_wait,
            loop_discount=m.loop_discount,
            exchange_mode=m.exchange_mode,
            exchange_prefix=m.exchange_prefix,
            bonus_credit=m.bonus_credit,
            store_credit_gateways=frozenset(m.store_credit_gateways),
            version=self.version,
        )

    def secret(self, reference: str) -> str:
        """What a secret reference stands for; empty when it is not there."""
        kind, _, name = reference.partition(":")
        if kind == "env":
            return self.environment.get(name, "")
        if kind == "file":
            path = Path(name) if Path(name).is_absolute() else self.root / name
            return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        raise BrokenSettingsError(f'a secret must be named as "env:NAME" or "file:PATH", not written into {FILE_NAME}')


def find_root(start: str | None, environment: Mapping[str, str]) -> Path:
    """The workspace: named by argument or GATEWAY_WORKSPACE, else this folder."""
    chosen = Path(start or environment.get("GATEWAY_WORKSPACE") or ".")
    return (chosen.parent if chosen.name.endswith(".toml") else chosen).resolve()


def load(start: str | None = None, *, environment: Mapping[str, str] | None = None) -> Workspace:
    """Read and check a workspace; every fault found is in the message."""
    surroundings = dict(os.environ if environment is None else environment)
    root = find_root(start, surroundings)
    path = Path(start) if start and start.endswith(".toml") else root / FILE_NAME
    if not path.is_file():
        raise BrokenSettingsError(f"{path} is not there. Make a workspace with `gateway init {root}`, or name one with --config")
    text = path.read_text(encoding="utf-8-sig")
    settings = read_settings(text, source=path.name, environment=surroundings)
    faults: list[str] = []
    profiles, read = read_profiles(root / settings.places.mappings, faults)
    items_path = root / settings.places.mappings / "items.csv"
    items = read_items(items_path, faults)
    bundles = read_bundles(root / settings.places.mappings / "bundles.csv", items, faults)
    stock = read_stock(root / settings.places.mappings / "opening_stock.csv", faults)
    faults += check_together(settings, profiles)
    if faults:
        raise BrokenSettingsError("\n".join(faults))
    references = {(p.partner, theirs): ours for p in profiles.values() for theirs, ours in p.cross_references.items()}
    parts = [text, *read, repr(sorted(bundles.items())), items_path.read_text(encoding="utf-8") if items_path.is_file() else ""]
    return Workspace(
        root=root,
        settings=settings,
        profiles=profiles,
        catalogue=Catalogue.of(items, references, bundles),
        opening_stock=tuple(stock),
        version=hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12],
        environment=surroundings,
    )


def read_settings(text: str, *, source: str, environment: Mapping[str, str]) -> Settings:
    """The settings from TOML text, with the environment's overrides."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BrokenSettingsError(f"{source}: not valid TOML: {fault}. Check quotes and brackets near there") from fault
    override(found, environment)
    try:
        return Settings.model_validate(found)
    except ValidationError as fault:
        raise BrokenSettingsError("\n".join(explain_faults(fault, text=text, source=source))) from fault


def override(found: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Put the environment's addresses over the file's."""
    for name, part, key in (
        ("GATEWAY_LOOP_BASE_URL", "loop", "base_url"),
        ("GATEWAY_SHOPIFY_BASE_URL", "shopify", "base_url"),
        ("GATEWAY_UI_LISTEN", "service", "listen"),
        ("GATEWAY_WEBHOOK_LISTEN", "service", "webhook_listen"),
    ):
        if environment.get(name):
            found.setdefault(part, {})[key] = environment[name]


def read_profiles(folder: Path, faults: list[str]) -> tuple[dict[str, Profile], list[str]]:
    """Every partner profile in a folder, and their texts."""
    profiles: dict[str, Profile] = {}
    texts: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        text = path.read_text(encoding="utf-8-sig")
        texts.append(text)
        try:
            profile = read_profile(text, source=f"{folder.name}/{path.name}")
        except BrokenProfileError as fault:
            faults.append(fault.message)
            continue
        profiles[profile.partner] = profile
    return profiles, texts


def read_items(path: Path, faults: list[str]) -> list[Item]:
    """The items from a CSV with the columns sku, upc, title."""
    if not path.is_file():
        faults.append(f"{path.name} is missing in {path.parent}: it lists sku,upc,title of every item that can come back")
        return []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        if "sku" not in (reader.fieldnames or []):
            faults.append(f"{path.name}, line 1: the header must have the columns sku,upc,title; found {','.join(reader.fieldnames or [])}")
            return []
        return [_item(r) for r in reader if r["sku"]]


def _item(row: Mapping[str, str | None]) -> Item:
    sku, upc, title, digital = ((row.get(name) or "").strip() for name in ("sku", "upc", "title", "digital"))
    return Item(sku=sku, upc=upc, title=title, digital=digital.lower() in YES)


def read_bundles(path: Path, items: list[Item], faults: list[str]) -> dict[str, tuple[tuple[str, int], ...]]:
    """What bundles are made of, from a CSV with the columns sku, component, quantity; none when the file is missing."""
    if not path.is_file():
        return {}
    known = {item.sku for item in items}
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for number, r in enumerate(csv.DictReader(stream), start=2):
            sku, component, quantity = ((r.get(name) or "").strip() for name in ("sku", "component", "quantity"))
            if sku not in known or component not in known or not quantity.isdecimal() or int(quantity) < 1:
                faults.append(f"{path.name}, line {number}: needs sku,component,quantity with SKUs of items.csv and a whole number; found {r}")
                continue
            found[sku] = (*found.get(sku, ()), (component, int(quantity)))
    faults += [
        f"{path.name}: {part} is a bundle itself; list what it is made of in {sku}"
        for sku, parts in found.items()
        for part, _ in parts
        if part in found
    ]
    return found


def read_stock(path: Path, faults: list[str]) -> list[tuple[str, str, int]]:
    """Opening stock from a CSV with the columns warehouse, sku, quantity; none when the file is missing."""
    if not path.is_file():
        return []
    found = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for number, r in enumerate(csv.DictReader(stream), start=2):
            try:
                found.append((r["warehouse"], r["sku"], int(r["quantity"])))
            except (KeyError, ValueError, TypeError):
                faults.append(f"{path.name}, line {number}: needs warehouse,sku,quantity with a whole number; found {r}")
    return found


def shortest_field(profile: Profile) -> str:
    """Where a partner's shortest reference field is, in words."""
    if profile.receive.x12_receipt and profile.send.ra_limit == DEPOSITOR_ORDER_LIMIT:
        return "944 depositor order number, W17-04"
    return f"send.ra_limit of {profile.partner}"


def check_together(settings: Settings, profiles: Mapping[str, Profile]) -> list[str]:
    """What only shows when settings and profiles are seen together."""
    faults = [
        f"{FILE_NAME}: warehouse {w.code} names partner {w.partner}, but {settings.places.mappings}/ has no profile of it"
        for w in settings.warehouses
        if w.partner and w.partner not in profiles
    ]
    faults += [
        f"{FILE_NAME}: service.partners names {name}, but {settings.places.mappings}/ has no profile of it"
        for name in settings.service.partners
        if name not in profiles
    ]
    if settings.erp.formats and "ERP" in profiles:
        faults.append(f"{FILE_NAME}: [erp] writes into the outbox of a partner that is called ERP too; give that profile another name")
    sample = settings.merchant.ra_pattern.format(rma="9" * 8) + ("-1" if len(settings.warehouses) > 1 else "")
    for p in profiles.values():
        plain = settings.merchant.ra_pattern.format(rma="9" * 8)
        if len(plain) > p.send.ra_limit:
            faults.append(
                f"{FILE_NAME}: merchant.ra_pattern {settings.merchant.ra_pattern!r} makes RA numbers of {len(plain)} characters ({sample}), "
                f"but {p.partner}'s shortest reference field ({shortest_field(p)}) holds {p.send.ra_limit}; shorten the pattern"
            )
    return faults
