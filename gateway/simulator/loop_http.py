"""Loop's API as it answers over HTTP: keys and scopes, the rate limit, and which path is which call.

Any version segment is accepted (`/api/2026-07/...`, `/api/v1/...`, or none); from 2026-10 on the two differences that touch
these calls apply: graded conditions are objects, and the ASN report refuses more than 120 days.
Source: https://docs.loopreturns.com/api-reference/authentication , https://docs.loopreturns.com/api-reference/rate-limit
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from gateway.simulator import loop_actions, loop_reads
from gateway.simulator.loop_grading import grade
from gateway.simulator.loop_reads import LoopRules
from gateway.simulator.returns import Returns
from gateway.simulator.web import Answer, Request, Subject

UNAUTHORIZED = {"error": {"code": "401", "http_code": "GEN-UNAUTHORIZED", "message": "Unauthorized."}}
_PATH = re.compile(r"^(?:/api)?(?:/(?P<version>\d{4}-\d\d|v1|latest|unstable))?(?P<rest>/.*)$")
_ACTION = re.compile(r"^/warehouse/return/(?P<rma>\d+)/(?P<verb>[a-z]+)$")
_DESTINATION = re.compile(r"^/destinations(?:/(?P<id>\d+))?$")
OLDEST_VERSION = "2026-07"


class LoopService:
    """Loop's API over a simulated world."""

    name = "loop"

    def __init__(self, world: Returns, rules: LoopRules) -> None:
        self.world = world
        self.rules = rules
        self._recent: dict[str, deque[datetime]] = {}

    def describe(self, request: Request) -> Subject:
        _, rest = _split(request.path)
        body = _body(request)
        action = _ACTION.match(rest)
        if action:
            return Subject(action["verb"], int(action["rma"]), body if body is not None else dict(request.query))
        operation = _OPERATIONS.get(rest, "destinations" if _DESTINATION.match(rest) else "unknown")
        rma = request.query.get("return_id", "")
        return Subject(operation, int(rma) if rma.isdigit() else None, body)

    def answer(self, request: Request, subject: Subject) -> Answer:
        key = request.headers.get("x-authorization", "")
        if not self._allowed(key, subject.operation):
            return Answer(401, UNAUTHORIZED, accepted=False)
        with self.world.lock:
            if self._too_many(key):
                headers = {"Retry-After": "60"} if self.rules.retry_after else {}
                return Answer(429, {"message": "Too Many Attempts."}, accepted=False, headers=headers)
            self.world.settle()
            return self._route(request, subject)

    def _route(self, request: Request, subject: Subject) -> Answer:
        version, rest = _split(request.path)
        action = _ACTION.match(rest)
        if action and action["verb"] in loop_actions.VERBS:
            if request.method != ("GET" if action["verb"] == "notes" else "POST"):
                return Answer(405, {"message": "The method is not supported for this route."}, accepted=False)
            return loop_actions.act(self.world, action["verb"], int(action["rma"]), request.query, _body(request))
        if subject.operation in ("grade", "assess"):
            return grade(self.world, subject.operation, _body(request), version >= "2026-10")
        if subject.operation == "list":
            return loop_reads.returns(self.world, request.query, request.headers.get("host", ""), self.rules)
        if subject.operation in _READS:
            return _READS[subject.operation](self.world, {**request.query, **_path_number(rest)}, version)
        return Answer(404, {"message": "Not Found"}, accepted=False)

    def _allowed(self, key: str, operation: str) -> bool:
        scope = "destinations:read" if operation == "destinations" else "returns"
        return key in self.rules.keys and scope in self.rules.keys[key]

    def _too_many(self, key: str) -> bool:
        now = self.world.clock.now()
        recent = self._recent.setdefault(key, deque())
        while recent and recent[0] <= now - timedelta(minutes=1):
            recent.popleft()
        if len(recent) >= self.rules.calls_per_minute:
            return True
        recent.append(now)
        return False


_READS: dict[str, Callable[[Returns, Mapping[str, str], str], Answer]] = {
    "details": loop_reads.details,
    "asn": loop_reads.report,
    "destinations": loop_reads.destinations,
}
_OPERATIONS = {
    "/warehouse/return/list": "list",
    "/warehouse/return/details": "details",
    "/warehouse/reporting/asn": "asn",
    "/dispositioning/grade": "grade",
    "/dispositioning/assess": "assess",
}


def _split(path: str) -> tuple[str, str]:
    found = _PATH.match(path)
    if found is None:
        return OLDEST_VERSION, path
    version = found["version"] or OLDEST_VERSION
    return (version if version[0].isdigit() else OLDEST_VERSION), found["rest"]


def _body(request: Request) -> object:
    try:
        return request.json()
    except ValueError:
        return None


def _path_number(rest: str) -> Mapping[str, str]:
    found = _DESTINATION.match(rest)
    return {"destination": found["id"]} if found and found["id"] else {}
