"""The only wiring: settings in, a `Context` out. The clock, the random owner name and the loggers are made here and nowhere else."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from gateway.config import BrokenSettingsError, Workspace
from gateway.domain.authorizing import Places
from gateway.errors import PermanentError
from gateway.folders import PartnerFolders, naming, pgp
from gateway.folders.pacing import Pace
from gateway.folders.packing import Packing
from gateway.folders.pgp import Keyring
from gateway.folders.unpacking import Room
from gateway.logs import JsonLines
from gateway.mapping.profiles import Profile
from gateway.store import database, leases, ledger, remote, workqueue

if TYPE_CHECKING:  # clients and jobs are imported where they are made, so that a command that only looks does not pay for them
    from gateway.clients.breaker import Breaker
    from gateway.clients.loop import Loop
    from gateway.clients.session import Session
    from gateway.clients.sftp import Address
    from gateway.clients.shopify import Shopify
    from gateway.jobs.context import Context, Telling

MINUTE = 60.0
SECRET_NAMES = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
MOST_INSTANCES = 64
LOG_BYTES = 20_000_000
DEFAULTS = Path(__file__).parent / "defaults"
SOURCE_TREE = Path(__file__).parent.parent


def clock(workspace: Workspace) -> Callable[[], datetime]:
    """The time in UTC; in test mode moved by the number of seconds in the file that GATEWAY_CLOCK_FILE names."""
    moved = workspace.environment.get("GATEWAY_CLOCK_FILE")
    if not moved or not workspace.settings.test_mode:
        return lambda: datetime.now(UTC)
    return lambda: datetime.now(UTC) + timedelta(seconds=_offset(Path(moved)))


def _offset(path: Path) -> float:
    try:
        return float(path.read_text(encoding="ascii").strip() or 0)
    except (OSError, ValueError):
        return 0.0


def elapsed(workspace: Workspace) -> Callable[[], float]:
    """Seconds that only go forward; in test mode also by what the clock is moved ahead, so that a pause passes when a test moves it."""
    moved = workspace.environment.get("GATEWAY_CLOCK_FILE")
    if not moved or not workspace.settings.test_mode:
        return time.monotonic
    path, most = Path(moved), [0.0]

    def seconds() -> float:
        most[0] = max(most[0], _offset(path))
        return time.monotonic() + most[0]

    return seconds


def place_name(workspace: Workspace) -> str:
    """This data folder on this machine; whoever holds its lock is the only one of this name."""
    return f"{socket.gethostname()}:{hashlib.sha256(str(workspace.var).encode()).hexdigest()[:6]}:"


def owner_name(workspace: Workspace) -> str:
    """Who we are in leases and locks: data folder, process, and something unique."""
    return f"{place_name(workspace)}{os.getpid()}:{uuid.uuid4().hex[:6]}"


def instances(workspace: Workspace) -> int:
    """How many processes may run on this data folder: one on SQLite, several over PostgreSQL, where leases keep them apart."""
    return 1 if workspace.database_url.startswith("sqlite") else MOST_INSTANCES


def take_back(workspace: Workspace, ctx: Context, *, living: Collection[str] = ()) -> None:
    """Free what killed processes of this data folder still hold; call it only with a lock of the folder held. `living` are the owners that run."""
    with database.writing(ctx.engine) as connection:
        workqueue.release_all(connection, owner_prefix=place_name(workspace), but=living, now=ctx.now())
        leases.release_all(connection, owner_prefix=place_name(workspace), but=living)
        remote.release_all(connection, owner_prefix=place_name(workspace), but=living)


def open_book(workspace: Workspace) -> Engine:
    """Open and, where needed, make or bring forward the database."""
    engine = connect_book(workspace)
    database.migrate(engine, keep_in=workspace.var / "backup")
    return engine


def connect_book(workspace: Workspace) -> Engine:
    """The database as it is, without making or changing a table."""
    workspace.var.mkdir(parents=True, exist_ok=True)
    return database.connect(workspace.database_url, idle_seconds=workspace.settings.periods.lease)


def make_context(workspace: Workspace, engine: Engine, *, sleep: Callable[[float], None] = time.sleep) -> Context:
    """Everything a job needs; `sleep` is how it waits for a place in a rate limit (the service hands in one that a stop ends)."""
    from gateway.jobs.context import Context, Retention, Timing
    from gateway.views.aging import Limits

    settings = workspace.settings
    zone = ZoneInfo(settings.merchant.time_zone)
    now = clock(workspace)
    enter_opening_stock(workspace, engine, now())
    return Context(
        engine=engine,
        now=now,
        monotonic=time.monotonic,
        loop=make_loop(workspace, sleep),
        shopify=make_shopify(workspace, sleep),
        profiles=workspace.profiles,
        folders={name: make_folders(workspace, profile) for name, profile in workspace.profiles.items()},
        places=Places(warehouses=workspace.warehouses(), catalogue=workspace.catalogue),
        policy=workspace.policy(),
        timing=Timing(**{f.name: getattr(settings.periods, f.name) for f in fields(Timing)}),
        telling=make_telling(workspace),
        limits=Limits(**settings.aging.model_dump()),
        retention=Retention(**settings.retention.model_dump()),
        import_from=datetime.combine(settings.merchant.import_from, datetime.min.time(), tzinfo=zone).astimezone(UTC),
        default_warehouse=settings.merchant.default_warehouse,
        compare_before_write=settings.shopify.compare_before_write,
        template=template_reader(workspace),
        local=lambda at: at.astimezone(zone),
        log=logging.getLogger("gateway"),
        erp_formats=settings.erp.formats,
        erp_folders=make_erp_folders(workspace) if settings.erp.formats else None,
        compare_hour=settings.merchant.compare_hour,
        servers={name: partial(make_address, workspace, profile) for name, profile in workspace.profiles.items() if profile.sftp},
    )


def enter_opening_stock(workspace: Workspace, engine: Engine, at: datetime) -> None:
    """Enter the opening stock that is not in the ledger yet."""
    if workspace.opening_stock:
        with database.writing(engine) as connection:
            ledger.open_stock(connection, workspace.opening_stock, at=at)


def template_reader(workspace: Workspace) -> Callable[[str], str]:
    """Templates by name: the workspace's own first, then those that came with the gateway."""

    def read(name: str) -> str:
        for folder in (workspace.root / workspace.settings.places.templates, *default_folders("templates")):
            path = folder / name
            if path.is_file():
                return path.read_text(encoding="utf-8")
        raise PermanentError(f"the template {name} is neither in {workspace.settings.places.templates}/ nor among the gateway's own")

    return read


def default_folders(kind: str) -> list[Path]:
    """Where the files that came with the gateway lie: inside the package, or in the source tree."""
    return [path for path in (DEFAULTS / kind, SOURCE_TREE / kind) if path.is_dir()]


def default_settings() -> Path:
    """The example `gateway.toml` that came with the gateway."""
    return next(path for path in (DEFAULTS / "gateway.toml", SOURCE_TREE / "gateway.toml") if path.is_file())


def make_loop(workspace: Workspace, sleep: Callable[[float], None] = time.sleep) -> Loop:
    """The client of Loop."""
    from gateway.clients.loop import Loop
    from gateway.clients.session import Pacer, Session

    part = workspace.settings.loop
    base = part.base_url.rstrip("/")
    if "/api/" not in base:
        base = f"{base}/api/{part.version}"
    key = workspace.secret(part.api_key)
    periods = workspace.settings.periods
    pacer = Pacer(part.calls_a_minute, MINUTE, time.monotonic, sleep)
    return Loop(Session("Loop", base, {"X-Authorization": key}, pacer, periods.connect, periods.answer, make_breaker(workspace)))


def make_shopify(workspace: Workspace, sleep: Callable[[float], None] = time.sleep) -> Shopify:
    """The client of Shopify, with a fixed token or client credentials."""
    from gateway.clients.session import Pacer, Session
    from gateway.clients.shopify import Bucket, Shopify

    part = workspace.settings.shopify
    base = part.base_url.rstrip("/").split("/admin/", 1)[0]
    token = workspace.secret(part.token)
    periods = workspace.settings.periods
    session = Session(
        "Shopify",
        base,
        {"X-Shopify-Access-Token": token} if token else {},
        Pacer(1200, MINUTE, time.monotonic, sleep),
        periods.connect,
        periods.answer,
        make_breaker(workspace),
    )
    fetch = None if token else token_fetcher(workspace, session)
    return Shopify(session=session, bucket=Bucket(monotonic=time.monotonic, sleep=sleep), version=part.version, fetch_token=fetch)


def make_breaker(workspace: Workspace) -> Breaker:
    """The circuit breaker of one host."""
    from gateway.clients.breaker import Breaker

    periods = workspace.settings.periods
    return Breaker(workspace.settings.service.pause_after, periods.first_pause, periods.longest_pause, elapsed(workspace))


def make_telling(workspace: Workspace) -> Telling:
    """Who is told what, and the mail server and channels by which."""
    from gateway.clients.channels import Post
    from gateway.clients.mail import Mailer
    from gateway.jobs.context import Telling

    part = workspace.settings.tell
    mailer = None
    if part.smtp_host:
        user = workspace.secret(part.smtp_user) if ":" in part.smtp_user else part.smtp_user
        authorities = str(workspace.root / part.smtp_authorities) if part.smtp_authorities else None
        mailer = Mailer(
            host=part.smtp_host,
            port=part.smtp_port,
            security=part.smtp_security,
            sender=part.sender,
            user=user,
            password=workspace.secret(part.smtp_password) if user else "",
            authorities=authorities,
        )
    post = Post(mailer=mailer, addresses={name: workspace.secret(name) for name in part.channels})
    return Telling(
        merchant=workspace.settings.merchant.name,
        recap_at=clock_time.fromisoformat(part.recap_at),
        recap_to=part.recap_to,
        alert_to=part.alert_to,
        channels=part.channels,
        repeat_hours=part.repeat_hours,
        group_seconds=part.group_seconds,
        tasks=frozenset(part.tasks),
        post=post.send,
    )


def token_fetcher(workspace: Workspace, session: Session) -> Callable[[], str]:
    """Fetch an access token by client credentials (shopify-api 1.3)."""
    from gateway.clients.shopify import fetch_access_token

    part = workspace.settings.shopify
    return lambda: fetch_access_token(session, client_id=workspace.secret(part.client_id), client_secret=workspace.secret(part.client_secret))


def make_address(workspace: Workspace, profile: Profile) -> Address:
    """Where a partner's SFTP server is, with its secrets; they are read when they are used."""
    from gateway.clients.sftp import Address

    part = profile.sftp
    if part is None:
        raise BrokenSettingsError(f"{profile.partner} has no [sftp] in its profile")
    key, password = (workspace.secret(ref) if ref else "" for ref in (part.key, part.password))
    if not key and not password:
        raise BrokenSettingsError(f"{profile.partner}: the secret {part.key or part.password} of [sftp] is not there")
    plain = ("host", "port", "user", "channels", "connect_seconds", "answer_seconds", "keep_alive_seconds")
    return Address(
        **{name: getattr(part, name) for name in plain},
        key=key,
        password=password,
        passphrase=workspace.secret(part.passphrase) if part.passphrase else "",
        host_keys=part.host_key,
    )


def make_folders(workspace: Workspace, profile: Profile) -> PartnerFolders:
    """The folders of a partner."""
    places, part = workspace.settings.places, profile.folders
    inbox = _roomy(workspace.root / (part.inbox or f"{places.inbox}/{profile.partner}"))
    outbox = _roomy(workspace.root / (part.outbox or f"{places.outbox}/{profile.partner}"))
    return PartnerFolders(
        partner=profile.partner,
        inboxes={"production": inbox, "test": inbox / "test"},
        outboxes={"production": outbox, "test": outbox / "test"},
        processing=_roomy(workspace.var / "processing" / profile.partner),
        staging=_roomy(workspace.var / "staging" / profile.partner),
        archive_root=_roomy(workspace.var / "archive"),
        error=_roomy(workspace.var / "error" / profile.partner),
        quarantine=_roomy(workspace.var / "quarantine" / profile.partner),
        settle_seconds=part.settle_seconds,
        temporary=part.temporary,
        trigger=part.trigger,
        share=part.share,
        packing=make_packing(workspace, profile),
        seal=make_seal(workspace, profile),
        pace=Pace(files_a_minute=profile.limits.files_a_minute, bytes_a_minute=profile.limits.bytes_a_minute),
    )


def _roomy(folder: Path) -> Path:
    """A folder in which the longest name fits, on Windows, too."""
    return Path(naming.long_path(str(folder), windows=os.name == "nt"))


def make_packing(workspace: Workspace, profile: Profile) -> Packing | None:
    """What a partner may pack and encrypt; None where it is set up for neither."""
    part = profile.unpack
    keyring = make_keyring(workspace, profile) if profile.pgp and profile.pgp.decrypt else None
    if not part.kinds and keyring is None:
        return None
    return Packing(kinds=part.kinds, room=Room(largest=part.largest, ratio=part.ratio, count=part.count), keyring=keyring)


def make_seal(workspace: Workspace, profile: Profile) -> Callable[[bytes], bytes] | None:
    """How files to a partner are encrypted; None where they are not."""
    return partial(pgp.seal, make_keyring(workspace, profile)) if profile.pgp and profile.pgp.recipient else None


def make_keyring(workspace: Workspace, profile: Profile) -> Keyring:
    """A partner's PGP keys."""
    part = profile.pgp
    if part is None:
        raise BrokenSettingsError(f"{profile.partner} has no [pgp] in its profile")
    return Keyring(
        folder=workspace.root / part.keyring,
        program=part.program,
        passphrase=workspace.secret(part.passphrase) if part.passphrase else "",
        signers=part.signers,
        recipient=part.recipient,
        sign_with=part.sign_with,
    )


def make_erp_folders(workspace: Workspace) -> PartnerFolders:
    """The ERP's outbox; it has no inbox."""
    outbox = workspace.root / (workspace.settings.erp.outbox or f"{workspace.settings.places.outbox}/ERP")
    return PartnerFolders(
        partner="ERP",
        inboxes={},
        outboxes={"production": outbox},
        processing=workspace.var / "processing" / "ERP",
        staging=workspace.var / "staging" / "ERP",
        archive_root=_roomy(workspace.var / "archive"),
        error=workspace.var / "error" / "ERP",
        quarantine=workspace.var / "quarantine" / "ERP",
        settle_seconds=0.0,
        temporary=(),
    )


def require_keys(workspace: Workspace) -> None:
    """Refuse to run without the keys of Loop and Shopify."""
    missing = []
    if not workspace.secret(workspace.settings.loop.api_key):
        missing.append(f"Loop's API key ({workspace.settings.loop.api_key})")
    shopify = workspace.settings.shopify
    if not workspace.secret(shopify.token) and not (workspace.secret(shopify.client_id) and workspace.secret(shopify.client_secret)):
        missing.append(f"Shopify's token ({shopify.token}), or client id and secret")
    if missing:
        raise BrokenSettingsError("missing: " + "; ".join(missing) + ". Set the environment variable or name another place in gateway.toml")


def secrets(workspace: Workspace) -> list[str]:
    """The values of every secret in use, so that no log shows one."""
    loop, shopify = workspace.settings.loop, workspace.settings.shopify
    found = [workspace.secret(reference) for reference in (loop.api_key, shopify.token, shopify.client_id, shopify.client_secret)]
    return [*found, *(value for name, value in workspace.environment.items() if name.startswith("GATEWAY_") and name.endswith(SECRET_NAMES))]


def start_log(workspace: Workspace, *, to_terminal: bool) -> None:
    """Log to `var/log/gateway.log`, rotated by whichever process finds it full, and to standard error."""
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    folder = workspace.var / "log"
    folder.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [ConcurrentRotatingFileHandler(folder / "gateway.log", maxBytes=LOG_BYTES, backupCount=10, encoding="utf-8")]
    if to_terminal:
        handlers.append(logging.StreamHandler())
    log = logging.getLogger("gateway")
    log.setLevel(logging.INFO)
    stop_log()
    for handler in handlers:
        handler.setFormatter(JsonLines(secrets(workspace)))
        log.addHandler(handler)


def stop_log() -> None:
    """Close the log's files."""
    log = logging.getLogger("gateway")
    for handler in log.handlers:
        handler.close()
    log.handlers.clear()
