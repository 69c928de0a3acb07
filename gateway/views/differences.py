"""Where goods and credits do not meet: credited but not received, received but not credited."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import RaState as S
from gateway.store import overview

LIMIT = 100
CAME_NOT_CREDITED = (S.PARTLY_RECEIVED, S.RECEIVED, S.PROCESS_REQUESTED, S.FLAGGED, S.PROCESSED)


def unmet(connection: Connection, *, credited: bool) -> list[dict[str, Any]]:
    """RA lines credited beyond what came, or RAs of which something came and nothing was credited; longest first."""
    if not credited:
        return overview.came_without_credit(connection, states=CAME_NOT_CREDITED, limit=LIMIT)
    rows = overview.credited_beyond_receipts(connection, limit=LIMIT)
    return [row | {"came": row["good"] + row["second"]} for row in sorted(rows, key=lambda row: row["ra"])]
