"""Who may see and do what. Every route names the right it needs; a role is a set of rights; nothing is decided by what a page shows or hides.

A request passes: host named in the list, origin our own, session in the book, right of the role, and for every write the form's key.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask import Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from gateway.jobs import people
from gateway.jobs.people import Session
from gateway.web.desk import Desk

LOOK, MONEY, ACT, ADMINISTER = "look", "money", "act", "administer"
RIGHTS: dict[str, frozenset[str]] = {
    "viewer": frozenset({LOOK}),
    "finance": frozenset({LOOK, MONEY}),
    "operator": frozenset({LOOK, MONEY, ACT}),
    "administrator": frozenset({LOOK, MONEY, ACT, ADMINISTER}),
}
COOKIE = "gateway_session"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Answer = str | Response | AnyResponse | tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of someone who is signed in."""

    desk: Desk
    session: Session
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def user(self) -> str:
        """Who acts."""
        return self.session.user

    def may(self, right: str) -> bool:
        """Whether the role has a right."""
        return right in RIGHTS[self.session.role]

    def show(self, template: str, **facts: Any) -> str:
        """A page."""
        return render_template(template, visit=self, session=self.session, may=self.may, said=self.desk.memory.hear(self.session.form_key), **facts)

    def back(self, path: str, said: str) -> AnyResponse:
        """Go on to a page that tells what was done."""
        self.desk.memory.say(self.session.form_key, said)
        return redirect(path, code=303)


@dataclass(frozen=True, slots=True)
class Route:
    """An address, the page behind it, the right it needs. A page that writes is reached by POST alone."""

    path: str
    page: Callable[..., Answer]
    needs: str = LOOK
    method: str = "GET"


def check_host(desk: Desk) -> None:
    """Refuse a name that is not ours (another site's name pointed at this address), and writes that come from another site."""
    name = request.host.rsplit(":", 1)[0].strip("[]").lower() if not request.host.endswith("]") else request.host.strip("[]")
    if name not in desk.hosts:
        abort(421, f"{name} is not a name of this gateway; add it to service.hosts in gateway.toml")
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin and urlsplit(origin).netloc != request.host:
        abort(403, "the form was sent from another site")


def find_session(desk: Desk) -> Session | None:
    """Who is signed in with this request's cookie."""
    token = request.cookies.get(COOKIE, "")
    return people.session_of(desk.ctx, token) if token else None


def guarded(desk: Desk, route: Route) -> Callable[..., Answer]:
    """The page, behind session, right and form key."""

    def view(**arguments: Any) -> Answer:
        session = find_session(desk)
        if session is None:
            return redirect(f"/sign-in?{_next()}", code=303)
        if route.needs not in RIGHTS[session.role]:
            abort(403, f"the role {session.role} may not do this; an administrator can give another role")
        if route.method == "POST" and not hmac.compare_digest(request.form.get("form_key", ""), session.form_key):
            abort(403, "the form is too old or not ours; go back, load the page again and repeat")
        return route.page(Visit(desk=desk, session=session), **arguments)

    return view


def _next() -> str:
    from urllib.parse import urlencode

    return urlencode({"next": request.full_path.rstrip("?")}) if request.method == "GET" else ""


def own_path(text: str) -> str:
    """A path on this site, whatever was asked for."""
    parts = urlsplit(text)
    inside = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc and text.isprintable()
    return text if inside else "/"
