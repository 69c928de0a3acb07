"""One way out over HTTP: paced, timed out, bounded in size, and judged by the body.

`Session.send` never raises for what a server or network does. It returns an `Answer` (something readable came back) or a `Silence` (nothing did), and
the latter says whether the request can have arrived. That difference decides everything for writes: what surely did not arrive may be sent again,
what may have arrived is in doubt and is looked up first.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from gateway.clients.breaker import Breaker
from gateway.errors import HeldError, PermanentError, TemporaryError

LARGEST_ANSWER = 64 * 1024 * 1024
LONGEST_PATIENCE = 120.0
MOST_READS = 10
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class AccessDeniedError(HeldError):
    """The service refuses our key; what needs it goes on when the key is right."""


class UnreadableAnswerError(TemporaryError):
    """The service answered with something that is not its format."""


class BusyError(TemporaryError):
    """The service asks to wait."""


class InsecureAddressError(PermanentError):
    """Plain http:// is allowed for loopback addresses only; use https://."""


class Kind(StrEnum):
    """What a write came to."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    NOT_DONE = "not done"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a write came to, in words; `code` is the service's own, `delay` the wait it asks for."""

    kind: Kind
    text: str
    code: str = ""
    delay: float | None = None
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer; `body` is the parsed JSON, or None with `garbled` True when it is not JSON."""

    status: int
    body: Any
    garbled: bool
    text: str
    headers: Mapping[str, str]

    @property
    def retry_after(self) -> float | None:
        """Seconds the server asks to wait."""
        value = self.headers.get("Retry-After", "")
        return float(value) if value.replace(".", "", 1).isdigit() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No complete answer; `arrived` False when the request surely did not reach the service, `delay` the seconds before another call makes sense."""

    text: str
    arrived: bool
    delay: float | None = None
    called: bool = True


@dataclass(slots=True)
class Pacer:
    """At most `limit` calls in any `period_seconds`, across threads."""

    limit: int
    period_seconds: float
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    _calls: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        """Wait for a free place and take it."""
        while True:
            with self._lock:
                now = self.monotonic()
                while self._calls and now - self._calls[0] >= self.period_seconds:
                    self._calls.popleft()
                if len(self._calls) < self.limit:
                    self._calls.append(now)
                    return
                pause = self.period_seconds - (now - self._calls[0])
            self.sleep(pause)

    def is_free(self) -> bool:
        """Whether a call would leave at once."""
        with self._lock:
            recent = sum(1 for at in self._calls if self.monotonic() - at < self.period_seconds)
            return recent < self.limit


@dataclass(slots=True)
class Session:
    """Calls to one service with one key."""

    service: str
    base_url: str
    headers: dict[str, str]
    pacer: Pacer
    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    breaker: Breaker | None = None
    _local: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise InsecureAddressError(f"{self.service}: {self.base_url} is not https:// and not a loopback address")

    def _requests(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        found: requests.Session = self._local.session
        return found

    def is_free(self) -> bool:
        """Whether a call would leave at once: there is a place in the rate limit, and the host is not left alone."""
        return self.pacer.is_free() and not (self.breaker and self.breaker.open)

    def send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None, form: Mapping[str, str] | None = None
    ) -> Answer | Silence:
        """Make one call and read it to the end; `body` goes as JSON, `form` as a form. A host that is left alone is not called at all."""
        if self.breaker is None:
            return self._call(method, path, query=query, body=body, form=form)
        rest = self.breaker.rest()
        if rest:
            text = f"{self.service} was not called: it did not answer the last calls; it is asked again in {rest:.0f} s"
            return Silence(text=text, arrived=False, delay=rest)
        alive: bool | None = None
        try:
            answer = self._call(method, path, query=query, body=body, form=form)
            alive = _is_alive(answer)
        finally:
            self.breaker.heard(alive)
        return answer

    def _call(self, method: str, path: str, *, query: Mapping[str, str] | None, body: Any, form: Mapping[str, str] | None) -> Answer | Silence:
        asked = self.pacer.monotonic()
        self.pacer.wait()
        started = self.pacer.monotonic()
        if started - asked > LONGEST_PATIENCE:  # waited, or was stopped, for so long that somebody else may have taken this over
            return Silence(text=f"{self.service} was not called: no free place for {started - asked:.0f} s", arrived=False, called=False)
        try:
            response = self._requests().request(
                method,
                self.base_url + path,
                params=query,
                json=body,
                data=form,
                headers=self.headers,
                timeout=(self.connect_seconds, self.read_seconds),
                stream=True,
                allow_redirects=False,
            )
            return self._read(response, started)
        except requests.exceptions.ConnectTimeout:
            return Silence(text=f"{self.service} could not be reached in {self.connect_seconds:g} s", arrived=False)
        except requests.exceptions.RequestException as error:
            refused = isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError)
            words = "could not be reached" if refused else "closed the connection or stopped answering before its answer was complete"
            return Silence(text=f"{self.service} {words}", arrived=not refused)

    def read(self, method: str, path: str, *, query: Mapping[str, str] | None = None) -> Answer:
        """Make a call that changes nothing and judge its answer; when the service asks to wait, wait and ask again (R-040)."""
        waited = 0.0
        for attempt in range(MOST_READS):
            answer = self.send(method, path, query=query)
            if isinstance(answer, Silence) or answer.status != 429:
                break
            asked = answer.retry_after
            pause = max(asked, 0.05) if asked is not None else min(2.0 * 2**attempt, 60.0)
            if waited + pause > LONGEST_PATIENCE:
                break
            waited += pause
            self.pacer.sleep(pause)
        return judge_read(self.service, answer)

    def _read(self, response: requests.Response, started: float) -> Answer:
        """Read an answer to its end, within a size and a total time: a body that trickles must not outlive the lease of who waits for it."""
        parts, size = [], 0
        with response:
            for part in response.iter_content(64 * 1024):
                parts.append(part)
                size += len(part)
                if size > LARGEST_ANSWER:
                    raise requests.exceptions.ContentDecodingError(f"more than {LARGEST_ANSWER} bytes")
                if self.pacer.monotonic() - started > self.read_seconds:
                    raise requests.exceptions.ReadTimeout(f"not complete after {self.read_seconds:g} s")
        text = b"".join(parts).decode("utf-8", "replace")
        try:
            body, garbled = json.loads(text), False
        except ValueError:
            body, garbled = None, True
        return Answer(status=response.status_code, body=body, garbled=garbled, text=text[:300], headers=response.headers)


def _is_alive(answer: Answer | Silence) -> bool | None:
    """What an answer shows of its host; None when it was not asked."""
    if isinstance(answer, Silence):
        return False if answer.called else None
    return answer.status < 500


def judge_read(service: str, answer: Answer | Silence) -> Answer:
    """The answer of a read, or the error that says whether to try again."""
    if isinstance(answer, Silence):
        raise TemporaryError(answer.text, delay=answer.delay)
    if answer.status in (401, 403):
        raise AccessDeniedError(denied_words(service, answer.status))
    if answer.status in (402, 423):
        raise AccessDeniedError(
            f"{service} answered {answer.status}: the shop is paused, locked or on a plan without this access; the shop's owner can tell"
        )
    if answer.status == 429:
        raise BusyError(f"{service} answered 429 too many requests", delay=answer.retry_after)
    if answer.status >= 500 or answer.garbled:
        raise UnreadableAnswerError(f"{service} answered {answer.status}: {answer.text[:120]!r}", delay=answer.retry_after)
    return answer


def denied_words(service: str, status: int) -> str:
    """What to do about a refused key."""
    return (
        f"{service} answered {status}: the key is wrong, or it lacks a scope. Check the key in gateway.toml (or its environment variable) "
        "and its scopes in the service's admin; `gateway check-config --connect` tests it"
    )


def judge_write(service: str, answer: Answer | Silence) -> Outcome | Answer:
    """The outcome of a write where status or silence decides it; else the answer, whose body decides."""
    if isinstance(answer, Silence):
        return Outcome(kind=Kind.UNCLEAR if answer.arrived else Kind.NOT_DONE, text=answer.text, delay=answer.delay)
    if answer.status in (401, 403) and not _has_list_of_errors(answer):
        return Outcome(kind=Kind.DENIED, text=denied_words(service, answer.status))
    if answer.status == 429:
        return Outcome(kind=Kind.NOT_DONE, text=f"{service} answered 429 too many requests", delay=answer.retry_after)
    if answer.status >= 500 or answer.garbled:
        return Outcome(kind=Kind.UNCLEAR, text=f"{service} answered {answer.status} {answer.text[:80]!r}", delay=answer.retry_after)
    return answer


def _has_list_of_errors(answer: Answer) -> bool:
    return isinstance(answer.body, dict) and isinstance(answer.body.get("errors"), list)
