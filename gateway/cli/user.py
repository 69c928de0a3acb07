"""`user`: who may sign in to the pages."""

from __future__ import annotations

import sys

import click

from gateway import bootstrap, config
from gateway.cli.options import actor, confirm, say_json, table, with_config, with_json, with_yes
from gateway.jobs import people
from gateway.jobs.context import Context
from gateway.store import database
from gateway.store import people as people_store

with_password = click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")


def _context(config_path: str | None) -> Context:
    workspace = config.load(config_path)
    return bootstrap.make_context(workspace, bootstrap.open_book(workspace))


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("not on a terminal: give the password with --password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@click.group()
def user() -> None:
    """Who may sign in to the pages: viewer looks, finance also sees money, operator also acts, administrator also sees settings and users.

    \b
    Example:  gateway user add maria --role operator
              gateway user list --json
    """


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(people.ROLES), required=True, help="What the user may see and do.")
@with_password
@with_config
@with_json
def add(name: str, role: str, password_stdin: bool, config_path: str | None, as_json: bool) -> int:
    """Make a user; asks for the password.

    \b
    Example:  gateway user add maria --role administrator
    """
    password = _password(password_stdin)
    people.add_user(_context(config_path), name=name, role=role, password=password, actor=actor())
    say_json({"user": name, "role": role}) if as_json else click.echo(f"{name} can sign in as {role}.")
    return 0


@user.command("list")
@with_config
@with_json
def list_(config_path: str | None, as_json: bool) -> int:
    """Every user with role and last sign-in.

    \b
    Example:  gateway user list
    """
    with database.reading(_context(config_path).engine) as connection:
        found = people_store.list_users(connection)
    if as_json:
        say_json(found)
    else:
        table(
            ["name", "role", "signed in", "locked until"], [[r["name"], r["role"], r["signed_in_at"] or "", r["locked_until"] or ""] for r in found]
        )
    return 0


@user.command()
@click.argument("name")
@with_yes
@with_config
@with_json
def remove(name: str, yes: bool, config_path: str | None, as_json: bool) -> int:
    """Remove a user and sign it out everywhere; what it did stays in the audit log.

    \b
    Example:  gateway user remove maria --yes
    """
    confirm(f"Remove {name}?", yes=yes)
    people.remove_user(_context(config_path), name=name, actor=actor())
    say_json({"user": name, "removed": True}) if as_json else click.echo(f"{name} is removed.")
    return 0


@user.command()
@click.argument("name")
@with_password
@with_config
@with_json
def password(name: str, password_stdin: bool, config_path: str | None, as_json: bool) -> int:
    """Give a user another password; it is signed out everywhere and a lock is lifted.

    \b
    Example:  gateway user password maria
    """
    people.set_password(_context(config_path), name=name, password=_password(password_stdin), actor=actor())
    say_json({"user": name, "changed": True}) if as_json else click.echo(f"The password of {name} is changed.")
    return 0
