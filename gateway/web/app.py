"""The web applications: one for people, one for webhooks alone; both made from tables of routes."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from gateway.errors import GatewayError
from gateway.views.cases import NothingFoundError
from gateway.web import guard, machines, signing, words
from gateway.web.desk import Desk
from gateway.web.navigation import menu
from gateway.web.routes import ROUTES

LARGEST_FORM = 64 * 1024 * 1024
STATIC_SECONDS = 3600


def make_app(desk: Desk) -> Flask:
    """Pages, sign-in, health, metrics and webhooks."""
    app = _plain(desk)
    _words(app, desk)
    app.before_request(lambda: guard.check_host(desk))
    signing.add(app, desk)
    machines.add(app, desk)
    machines.add_webhooks(app, desk)
    for number, route in enumerate(ROUTES):
        app.add_url_rule(route.path, f"page{number}", guard.guarded(desk, route), methods=[route.method])
    return app


def make_webhook_app(desk: Desk) -> Flask:
    """Webhooks alone, for an address that the world may reach."""
    app = _plain(desk)
    machines.add_webhooks(app, desk)
    return app


def _plain(desk: Desk) -> Flask:
    app = Flask("gateway.web", static_folder="static", template_folder="templates")
    app.config.update(MAX_CONTENT_LENGTH=LARGEST_FORM, MAX_FORM_MEMORY_SIZE=2_000_000, SEND_FILE_MAX_AGE_DEFAULT=STATIC_SECONDS)

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in guard.HEADERS.items():
            if not (name == "Cache-Control" and request.path.startswith("/static/")):
                response.headers[name] = value
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Any:
        return _trouble(desk, error.code or 500, error.name, error.description or "")

    @app.errorhandler(NothingFoundError)
    def missing(error: NothingFoundError) -> Any:
        return _trouble(desk, 404, "Not in the book", error.message)

    @app.errorhandler(GatewayError)
    def told(error: GatewayError) -> Any:
        return _trouble(desk, 409, "That was not done", error.message)

    @app.errorhandler(Exception)
    def defect(_error: Exception) -> Any:
        number = secrets.token_hex(4)
        desk.ctx.log.exception("page.defect", extra={"path": request.path, "number": number})
        return _trouble(desk, 500, "Something broke on our side", f"Nothing was changed by this page. The log has the details under {number}.")

    return app


def _trouble(desk: Desk, code: int, title: str, why: str) -> tuple[str, int] | AnyResponse:
    """An error in words: a page for people, a line for machines."""
    if request.path.startswith(("/webhooks/", "/health", "/metrics")) or code == 421:
        return Response(f"{title}: {why}\n", status=code, mimetype="text/plain")
    session = guard.find_session(desk) if code != 500 else None
    may = guard.Visit(desk=desk, session=session).may if session else (lambda _right: False)
    return render_template("trouble.html", session=session, may=may, title=title, why=why, code=code), code


def _words(app: Flask, desk: Desk) -> None:
    app.jinja_env.filters |= words.filters(now=desk.ctx.now, local=desk.local)
    app.jinja_env.finalize = words.visible
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals |= {"merchant": desk.merchant, "zone": desk.zone, "menu": menu}
