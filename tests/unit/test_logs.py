"""Log lines: JSON with identifiers, and no secret or address, wherever it hides."""

from __future__ import annotations

import json
import logging

import pytest

from gateway.logs import JsonLines, Within, mask


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Loop refused the key live_4711", "Loop refused the key ***"),
        ("token shpat_0123abc was refused", "token *** was refused"),
        ("header Authorization: Bearer abcdefgh1234", "header Authorization: ***"),
        ("mail of ann.smith+x@example.com bounced", "mail of *** bounced"),
        ('answer {"address1": "12 Main St", "city":"Reno"}', 'answer {"address1": ***, "city":***}'),
        ("{'phone': '+1 775 555 0100'}", "{'phone': ***}"),
        ("postgresql+psycopg://gw:hunter2@db/gateway", "postgresql+psycopg://gw:***@db/gateway"),
        ("RMA 77000001, RA RA77000001, file ATLAS_944_1001.edi", "RMA 77000001, RA RA77000001, file ATLAS_944_1001.edi"),
    ],
)
def test_it_masks_what_does_not_belong_into_a_log(said: str, kept: str) -> None:
    assert mask(said, ["live_4711"]) == kept


def line(adapter: bool, **fields: object) -> dict[str, object]:
    """What one line becomes."""
    written: list[str] = []
    log = logging.getLogger(f"test-logs-{adapter}")
    log.propagate = False
    log.setLevel(logging.INFO)
    keep = logging.Handler()
    keep.setFormatter(JsonLines(["hunter2"]))
    keep.emit = lambda record: written.append(keep.format(record))  # type: ignore[method-assign]
    log.handlers = [keep]
    (Within(log, {"job": "decide", "key": "77000001"}) if adapter else log).info("return.decided", extra=fields)
    found: dict[str, object] = json.loads(written[0])
    return found


def test_it_writes_the_event_word_and_its_identifiers() -> None:
    found = line(False, rma="77000001", file_id=7, why="hunter2 was refused")
    assert {k: found[k] for k in ("event", "rma", "file_id", "why")} == {
        "event": "return.decided",
        "rma": "77000001",
        "file_id": 7,
        "why": "*** was refused",
    }


def test_it_says_within_which_job_a_line_was_written() -> None:
    found = line(True, key="own", rma="77000001")
    assert (found["job"], found["key"], found["rma"]) == ("decide", "own", "77000001")
