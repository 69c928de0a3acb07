"""Shopify's Admin API as it answers over HTTP: the GraphQL address, tokens and versions, and the client credentials grant.

Source: https://shopify.dev/docs/api/usage/versioning ,
https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from gateway.simulator.shopify_cost import Bucket
from gateway.simulator.shopify_graphql import ALL_SCOPES, VERSIONS, Executor
from gateway.simulator.web import Answer, Request, Subject
from gateway.simulator.world import World

_GRAPHQL = re.compile(r"^/admin/api/(?P<version>\d{4}-\d\d|unstable)/graphql\.json$")
_NAME = re.compile(r"\b(?:query|mutation)\s+(\w+)")
BAD_TOKEN = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
TOKEN_LIFE = 86399


@dataclass
class ShopifyRules:
    """Fixed tokens with their scopes (None: all), apps that may ask for a token, and the limits."""

    tokens: dict[str, Collection[str] | None] = field(default_factory=dict)
    apps: dict[str, str] = field(default_factory=lambda: {"client-id": "client-secret"})
    bucket: Bucket = field(default_factory=Bucket)
    max_cost: int = 1000
    refuse_app: str | None = None


class ShopifyService:
    """Shopify's Admin API over a simulated world."""

    name = "shopify"

    def __init__(self, world: World, rules: ShopifyRules) -> None:
        self.world = world
        self.rules = rules
        self.executor = Executor(world, rules.bucket, rules.max_cost)
        self._granted: dict[str, datetime] = {}

    def describe(self, request: Request) -> Subject:
        if request.path == "/admin/oauth/access_token":
            return Subject("access_token")
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return Subject("unknown")
        named = _NAME.search(str(body.get("query", "")))
        return Subject(str(body.get("operationName") or (named[1] if named else "unnamed")), None, body.get("variables"))

    def answer(self, request: Request, subject: Subject) -> Answer:
        if subject.operation == "access_token":
            return self._grant(request)
        path = _GRAPHQL.match(request.path)
        if path is None or request.method != "POST":
            return Answer(404, {"errors": "Not Found"}, accepted=False)
        version = _served(path["version"])
        headers = {"X-Shopify-API-Version": version, "X-Request-Id": f"simulated-{self.world.number()}"}
        scopes = self._scopes(request.headers.get("x-shopify-access-token", ""))
        if scopes is None:
            return Answer(401, BAD_TOKEN, accepted=False, headers=headers)
        try:
            body = request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return Answer(400, {"errors": {"query": "Required parameter missing or invalid"}}, accepted=False, headers=headers)
        with self.world.lock:
            self.world.settle()
            self.executor.max_cost = self.rules.max_cost
            self.executor.bucket = self.rules.bucket
            printed, effect = self.executor.run(body, version, scopes)
        return Answer(200, printed, effect=effect, accepted=_accepted(printed), headers=headers)

    def _scopes(self, token: str) -> tuple[str, ...] | None:
        if token in self._granted:
            return tuple(ALL_SCOPES) if self.world.clock.now() < self._granted[token] else None
        if token not in self.rules.tokens:
            return None
        scopes = self.rules.tokens[token]
        return tuple(ALL_SCOPES) if scopes is None else tuple(scopes)

    def _grant(self, request: Request) -> Answer:
        """The client credentials grant: a token for a day."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if self.rules.refuse_app is not None:
            return Answer(400, {"error": self.rules.refuse_app}, accepted=False)
        secret = self.rules.apps.get(form.get("client_id", ""))
        if secret is None or form.get("client_secret") != secret:
            text = "Could not authenticate the app with the given client id and secret."
            return Answer(401, {"error": "invalid_client", "error_description": text}, accepted=False)
        if form.get("grant_type") != "client_credentials":
            return Answer(400, {"error": "unsupported_grant_type"}, accepted=False)
        token = f"shpat_granted_{self.world.number()}"
        self._granted[token] = self.world.clock.now() + timedelta(seconds=TOKEN_LIFE)
        granted = {"access_token": token, "scope": ",".join(ALL_SCOPES), "expires_in": TOKEN_LIFE}
        return Answer(200, granted, effect=True)


def _served(version: str) -> str:
    """A version out of support is served by the oldest supported one, silently."""
    if version in VERSIONS:
        return version
    oldest = min(name for name, supported in VERSIONS.items() if supported)
    newest = max(name for name, supported in VERSIONS.items() if supported)
    return oldest if version < oldest else newest


def _accepted(printed: dict[str, object]) -> bool:
    """Whether an answer holds neither errors nor user errors."""
    data = printed.get("data")
    if printed.get("errors") or not isinstance(data, dict):
        return False
    return not any(isinstance(part, dict) and part.get("userErrors") for part in data.values())
