"""One thread for each partner with a server: its files go and come in a rhythm of their own, so that a slow server stops no other partner.

After trouble the pauses grow, up to the longest retry wait; a file that appears in the outbox ends a pause, but not one after trouble.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from gateway.daemon.loops import LOOK_SECONDS, Service
from gateway.errors import GatewayError
from gateway.folders import FolderTroubleError, exchange
from gateway.jobs.carrying import Sync
from gateway.jobs.context import Context
from gateway.jobs.sync import sync_partner, tell


def sync_all(service: Service) -> None:
    """Keep a thread for each partner with a server until the service stops."""
    threads = [threading.Thread(target=_keep, args=(service, partner), name=f"sftp {partner}", daemon=True) for partner in service.ctx.servers]
    for thread in threads:
        thread.start()
    service.stopping.wait()
    for thread in threads:
        thread.join()


def _keep(service: Service, partner: str) -> None:
    ctx, failures = service.ctx, 0
    state = Sync(ctx=ctx, partner=partner, owner=f"{service.owner}/sftp", lease_seconds=service.lease_seconds, stop=service.stopping.is_set)
    while not service.stopping.is_set():
        if partner not in service.holding.partners():
            state.close()
            service.stopping.wait(1.0)
            continue
        trouble = one_pass(state)
        if service.stopping.is_set():
            break
        tell(ctx, partner, trouble)
        failures = failures + 1 if trouble else 0
        if trouble:
            ctx.log.warning("sync.trouble", extra={"partner": partner, "why": trouble})
            service.stopping.wait(min(ctx.timing.first_retry * 2 ** min(failures - 1, 20), ctx.timing.longest_retry))
        else:
            _pause(service, state)
    state.close()


def sync_once(ctx: Context, *, owner: str, partners: Collection[str], stopping: threading.Event) -> None:
    """A pass for each partner with a server, and more while files there settle; for schedulers."""
    for partner in [name for name in ctx.servers if name in partners]:
        state = Sync(ctx=ctx, partner=partner, owner=f"{owner}/sftp", stop=stopping.is_set)
        trouble = one_pass(state)
        while not trouble and state.settling and not stopping.wait(LOOK_SECONDS):
            trouble = one_pass(state)
        if not stopping.is_set():
            tell(ctx, partner, trouble)
        state.close()


def one_pass(state: Sync) -> str:
    """One pass; what troubled it, in words. An unexpected error is logged in full and stops only this pass."""
    try:
        tally = sync_partner(state)
    except GatewayError as error:
        return error.message
    except Exception as error:
        state.ctx.log.exception("sync.defect", extra={"partner": state.partner})
        return f"unexpected: {error!r}; send the log to whoever runs the gateway"
    return "; ".join(tally.reasons[:5]) if tally.failed else ""


def _pause(service: Service, state: Sync) -> None:
    """Wait the partner's period; less while a file on the server settles or one lies in the outbox."""
    end = service.ctx.monotonic() + state.profile.every_seconds
    while not service.stopping.wait(LOOK_SECONDS) and service.ctx.monotonic() < end:
        if state.settling or _has_outgoing(service.ctx, state):
            return


def _has_outgoing(ctx: Context, state: Sync) -> bool:
    try:
        return any(exchange.outgoing(ctx.folders[state.partner], kind) for kind in state.profile.outgoing)
    except FolderTroubleError:
        return False
