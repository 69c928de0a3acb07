"""Signing in and out. Without any user the page says how the first one is made; there is no default password."""

from __future__ import annotations

import hmac

from flask import Flask, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from gateway.jobs import people
from gateway.jobs.people import SESSION_HOURS, SignInError
from gateway.web import guard
from gateway.web.desk import Desk


def add(app: Flask, desk: Desk) -> None:
    """Add sign-in and sign-out to an application."""

    @app.get("/sign-in")
    def ask() -> str:
        return _form(desk, why="", next_path=request.args.get("next", "/"))

    @app.post("/sign-in")
    def enter() -> tuple[str, int] | AnyResponse:
        next_path = guard.own_path(request.form.get("next", "/"))
        try:
            token = people.sign_in(desk.ctx, name=request.form.get("name", ""), password=request.form.get("password", ""))
        except SignInError as error:
            return _form(desk, why=error.message, next_path=next_path), 403
        response = redirect(next_path, code=303)
        response.set_cookie(guard.COOKIE, token, max_age=SESSION_HOURS * 3600, httponly=True, samesite="Lax", secure=desk.https or request.is_secure)
        return response

    @app.post("/sign-out")
    def leave() -> AnyResponse:
        session = guard.find_session(desk)
        if session and not hmac.compare_digest(request.form.get("form_key", ""), session.form_key):
            abort(403, "the form is not ours")
        people.sign_out(desk.ctx, request.cookies.get(guard.COOKIE, ""))
        response = redirect("/sign-in", code=303)
        response.delete_cookie(guard.COOKIE)
        return response


def _form(desk: Desk, *, why: str, next_path: str) -> str:
    next_path = guard.own_path(next_path)
    return render_template("sign_in.html", session=None, why=why, next_path=next_path, anybody=people.has_users(desk.ctx))
