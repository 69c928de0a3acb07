"""Where goods and credits do not meet: credited but not received, received but not credited."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import RaState as S
from gateway.store import ledger, overview

LIMIT = 100
CAME_NOT_CREDITED = (S.PARTLY_RECEIVED, S.RECEIVED, S.PROCESS_REQUESTED, S.FLAGGED, S.PROCESSED)


def unmet(connection: Connection, *, credited: bool) -> list[dict[str, Any]]:
    """RA lines credited beyond what came, or RAs of which something came and nothing was credited; longest first."""
    if not credited:
        return overview.came_without_credit(connection, states=CAME_NOT_CREDITED, limit=LIMIT)
    found = []
    for row in overview.short_lines_with_refund(connection, limit=LIMIT * 5):
        units = ledger.credited_for(connection, row["rma"]).get(row["sku"], 0)
        came = row["good"] + row["second"]
        if units > came:
            found.append(row | {"credited": units, "came": came})
    return found[:LIMIT]
