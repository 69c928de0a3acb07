"""Who may use the pages: users with a role and a password, sign-in with a lock after failures, sessions.

Passwords are kept as scrypt hashes, session tokens as SHA-256: what is in the book opens nothing. An unknown name costs as much time as a wrong password.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from gateway.errors import PermanentError
from gateway.jobs.context import Context
from gateway.store import database, events, people

ROLES = ("viewer", "operator", "administrator", "finance")
SHORTEST_PASSWORD = 10
COST = {"n": 2**14, "r": 8, "p": 5}
FREE_FAILURES = 5
LOCK_MINUTES = 15
SESSION_HOURS = 12


class UserError(PermanentError):
    """The user cannot be written as asked."""


class SignInError(PermanentError):
    """Name or password is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Someone who is signed in; `form_key` is what every form must bring back."""

    user: str
    role: str
    form_key: str


def hash_password(password: str, *, salt: bytes) -> str:
    """A password as the book keeps it."""
    digest = hashlib.scrypt(password.encode(), salt=salt, **COST)
    return f"scrypt:{COST['n']}:{COST['r']}:{COST['p']}:{salt.hex()}:{digest.hex()}"


def matches(password: str, kept: str) -> bool:
    """Whether a password is the one that is kept, in constant time."""
    _, n, r, p, salt, digest = kept.split(":")
    found = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=int(n), r=int(r), p=int(p))
    return hmac.compare_digest(found, bytes.fromhex(digest))


def add_user(ctx: Context, *, name: str, role: str, password: str, actor: str) -> None:
    """Make a user."""
    if role not in ROLES:
        raise UserError(f"{role!r} is no role; choose one of {', '.join(ROLES)}")
    if not name.isprintable() or not 1 <= len(name.strip()) <= 64 or name != name.strip():
        raise UserError("a user's name has 1 to 64 printable characters, none of them blank at the ends")
    kept = _kept(password)
    with database.writing(ctx.engine) as connection:
        if not people.add_user(connection, name=name, role=role, password=kept, at=ctx.now()):
            raise UserError(f"there is a user {name} already; `gateway user password {name}` changes its password")
        events.note(connection, "user.added", f"user {name} added as {role}", at=ctx.now(), actor=actor)


def _kept(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise UserError(f"a password has at least {SHORTEST_PASSWORD} characters")
    return hash_password(password, salt=secrets.token_bytes(16))


def set_password(ctx: Context, *, name: str, password: str, actor: str) -> None:
    """Give a user another password; it is signed out everywhere and a lock is lifted."""
    kept = _kept(password)
    with database.writing(ctx.engine) as connection:
        if not people.change_user(connection, name, password=kept, failures=0, locked_until=None):
            raise UserError(f"there is no user {name}")
        people.end_sessions(connection, name)
        events.note(connection, "user.password", f"password of {name} changed", at=ctx.now(), actor=actor)


def remove_user(ctx: Context, *, name: str, actor: str) -> None:
    """Remove a user; what it did stays in the audit log."""
    with database.writing(ctx.engine) as connection:
        if not people.remove_user(connection, name):
            raise UserError(f"there is no user {name}")
        events.note(connection, "user.removed", f"user {name} removed", at=ctx.now(), actor=actor)


def sign_in(ctx: Context, *, name: str, password: str) -> str:
    """Check name and password and start a session; its token. After some failures the name is locked for a while."""
    now = ctx.now()
    with database.reading(ctx.engine) as connection:
        user = people.load_user(connection, name)
    if user and user["locked_until"] and database.moment(user["locked_until"]) > now:
        raise SignInError("Too many wrong passwords for this name. Wait a quarter of an hour, or ask an administrator for a new password.")
    kept = user["password"] if user else hash_password("", salt=b"nobody has this salt")
    if not matches(password, kept) or user is None:
        _count_failure(ctx, user)
        raise SignInError("Name or password is wrong. After five wrong passwords the name is locked for a quarter of an hour.")
    token = secrets.token_urlsafe(32)
    with database.writing(ctx.engine) as connection:
        people.change_user(connection, name, failures=0, locked_until=None, signed_in_at=now)
        ends = now + timedelta(hours=SESSION_HOURS)
        people.start_session(connection, token=_digest(token), user=name, form_key=secrets.token_urlsafe(32), at=now, ends_at=ends)
    ctx.log.info("user.signed-in", extra={"user": name})
    return token


def _count_failure(ctx: Context, user: dict[str, object] | None) -> None:
    ctx.log.warning("user.refused", extra={"user": user["name"] if user else "unknown"})
    if user is None:
        return
    name = str(user["name"])
    with database.writing(ctx.engine) as connection:
        failures = people.count_failure(connection, name)
        if failures < FREE_FAILURES:
            return
        people.change_user(connection, name, failures=0, locked_until=ctx.soon(LOCK_MINUTES * 60))
        events.note(connection, "user.locked", f"{name} is locked for {LOCK_MINUTES} minutes after {failures} wrong passwords", at=ctx.now())


def session_of(ctx: Context, token: str) -> Session | None:
    """Who a token belongs to; None when nobody is signed in with it."""
    with database.reading(ctx.engine) as connection:
        found = people.load_session(connection, _digest(token), now=ctx.now())
    return Session(**found) if found else None


def sign_out(ctx: Context, token: str) -> None:
    """End a session."""
    with database.writing(ctx.engine) as connection:
        people.end_session(connection, _digest(token))


def has_users(ctx: Context) -> bool:
    """Whether anybody can sign in at all."""
    with database.reading(ctx.engine) as connection:
        return bool(people.list_users(connection))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
