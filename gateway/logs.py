"""Log lines: one JSON object each, an event word with identifiers as fields, and nothing that does not belong into a log.

What is masked: the values of the secrets in use, anything that looks like a token or an e-mail address, and the values of fields that hold a person's
name, address or telephone (answers of services are quoted in messages, and they contain such fields).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any

MASK = "***"
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
PERSONAL = "address1|address2|street|city|zip|postal_code|province|phone|email|first_name|last_name|company|name_first|name_last"
PATTERNS = (
    re.compile(r"\bshp[a-z]{2}_[0-9A-Za-z]+"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]{8,}"),
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
)
FIELDS = re.compile(rf"""(?i)(["']?\b(?:{PERSONAL})\b["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;}}]+)""")
URL_PASSWORD = re.compile(r"(://[^/\s:@]+:)[^/\s@]+@")


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without secrets and personal data."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    text = URL_PASSWORD.sub(rf"\1{MASK}@", text)
    text = FIELDS.sub(rf"\1{MASK}", text)
    for pattern in PATTERNS:
        text = pattern.sub(MASK, text)
    return text


class JsonLines(logging.Formatter):
    """Time, level, event word, and the identifiers passed as `extra`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self.secrets = sorted({secret for secret in secrets if len(secret) > 3}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """A record as JSON, masked."""
        entry: dict[str, Any] = {"at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")}
        entry |= {"level": record.levelname.lower(), "event": record.getMessage()}
        entry |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        masked = {key: mask(value, self.secrets) if isinstance(value, str) else value for key, value in entry.items()}
        return json.dumps(masked, ensure_ascii=False, default=lambda value: mask(str(value), self.secrets))


class Within(logging.LoggerAdapter[logging.Logger]):
    """A logger whose every line also says within what it was written: the job and its key, the run."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The line's own fields win."""
        return msg, {**kwargs, "extra": {**(self.extra or {}), **(kwargs.get("extra") or {})}}
