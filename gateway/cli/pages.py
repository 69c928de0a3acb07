"""The pages' wiring: what they may know of the settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway import config, settings
from gateway.daemon import lock
from gateway.jobs.context import Context
from gateway.views import health
from gateway.views.aging import Limits
from gateway.web.desk import Desk, Setting

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def make_desk(workspace: config.Workspace, ctx: Context) -> Desk:
    """The pages' surroundings."""
    settings = workspace.settings
    return Desk(
        ctx=ctx,
        status=lambda: health.status(ctx.engine, ctx.folders, now=ctx.now(), ready=lock.is_running(workspace.var)),
        merchant=settings.merchant.name,
        zone=settings.merchant.time_zone,
        hosts=hosts(settings.service),
        https=settings.service.https,
        loop_secret=workspace.secret(settings.loop.webhook_secret),
        shopify_secret=workspace.secret(settings.shopify.webhook_secret),
        shop_domain=shop_domain(settings.shopify.base_url),
        settings=tuple(_settings(workspace)),
        limits=Limits(**settings.aging.model_dump()),
        check=lambda: _faults(workspace),
    )


def hosts(service: settings.ServicePart) -> tuple[str, ...]:
    """The names the pages answer to: loopback, the listening address, and what the settings list."""
    own = service.listen.rpartition(":")[0].strip("[]").lower()
    return tuple({*LOOPBACK, *([own] if own and own not in ("0.0.0.0", "::", "*") else []), *(name.lower() for name in service.hosts)})


def shop_domain(base_url: str) -> str:
    """The shop's domain, which a webhook has to name; empty where the address is no shop's (a simulator)."""
    host = (urlsplit(base_url).hostname or "").lower()
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "" if host == "localhost" else host
    return ""


def _settings(workspace: config.Workspace) -> Iterator[Setting]:
    for part, values in workspace.settings.model_dump(mode="json").items():
        if isinstance(values, dict):
            yield from (Setting(part=part, key=key, value=_shown(workspace, value)) for key, value in values.items())
        elif isinstance(values, list):
            yield from (Setting(part=part, key=str(v["code"]), value=_pairs(v)) for v in values)
        else:
            yield Setting(part="", key=part, value=str(values))
    yield Setting(part="", key="version of these settings", value=workspace.version)


def _shown(workspace: config.Workspace, value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if text.startswith(("env:", "file:")):
        return f"{text} ({'set' if workspace.secret(text) else 'missing'})"
    parts = urlsplit(text)
    return text.replace(f":{parts.password}@", ":…@") if "://" in text and parts.password else text


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items() if key != "code" and value not in ("", None))


def _faults(workspace: config.Workspace) -> list[str]:
    try:
        config.load(str(workspace.root), environment=workspace.environment)
    except config.BrokenSettingsError as error:
        return error.message.splitlines()
    return []
