"""`gateway` and its sub-commands, each in a module that is imported when it is called.

Exit codes: 0 well, 1 cannot run, 2 ran with errors (or a wrong call), 3 another instance holds the lock.
"""

from __future__ import annotations

import importlib
import sys

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("gateway.cli.service", "Run in the foreground until stopped."),
    "run-once": ("gateway.cli.service", "One pass of every job, for schedulers."),
    "status": ("gateway.cli.look", "Whether all is well: ready, idle, counts, problems."),
    "find": ("gateway.cli.look", "Find a return, RA, file, refund, order or receipt by any identifier."),
    "explain": ("gateway.cli.look", "Why a return stands where it stands."),
    "trace": ("gateway.cli.look", "Everything about one file."),
    "export": ("gateway.cli.look", "The whole book as JSON."),
    "verify": ("gateway.cli.look", "Check database, archive, units, money and stock."),
    "report": ("gateway.cli.tell", "A report on screen, as CSV, XLSX or JSON."),
    "recap": ("gateway.cli.tell", "The recap of the last 24 hours, shown or sent."),
    "bundle": ("gateway.cli.keep", "Everything about one return in one archive, personal data masked."),
    "purge": ("gateway.cli.keep", "Let go of what is finished and old."),
    "forget": ("gateway.cli.keep", "Remove a person's data on request."),
    "tie-out": ("gateway.cli.stock", "What a period comes to, with every difference."),
    "correct-stock": ("gateway.cli.stock", "Enter a stock correction as a new movement."),
    "job": ("gateway.cli.work", "Run a job now: whole, for one RMA or order, or for a range."),
    "view": ("gateway.cli.view", "Show a file: raw, with names and meanings, or as a business document."),
    "preview": ("gateway.cli.preview", "What a file is, says and would cause, without taking it."),
    "replay": ("gateway.cli.many", "Handle an archived or rejected file again."),
    "resend": ("gateway.cli.work", "Send a document again, byte for byte."),
    "attach": ("gateway.cli.work", "Bring an unmatched receipt to its RA."),
    "correct": ("gateway.cli.correct", "Take a receipt back, or enter it again as it really was."),
    "detach": ("gateway.cli.correct", "Take a receipt off the RA it was attached to."),
    "hold": ("gateway.cli.many", "Keep an RA from being sent."),
    "release": ("gateway.cli.many", "Let a held RA go on."),
    "retry": ("gateway.cli.many", "Repeat a failed step."),
    "close": ("gateway.cli.many", "Close an RA by hand."),
    "check-config": ("gateway.cli.setup", "Check gateway.toml, profiles, items and templates as a whole."),
    "completion": ("gateway.cli.completion", "Completion of commands and options for your shell."),
    "partner": ("gateway.cli.partner", "Trading partners: set up, look at, try out, sync with their servers."),
    "user": ("gateway.cli.user", "Who may sign in to the pages."),
    "init": ("gateway.cli.setup", "Make a workspace."),
    "demo": ("gateway.cli.trial", "See four returns live their whole life, offline."),
    "backup": ("gateway.cli.keeping", "Back up book, settings and files in hand, while running."),
    "restore": ("gateway.cli.keeping", "Put a backup into an empty book, and prove it."),
    "db": ("gateway.cli.keeping", "Move the book into another database."),
    "service": ("gateway.cli.register", "Install, remove or show the gateway as a service of this system."),
    "drill": ("gateway.cli.drill", "Break a life cycle everywhere and compare with a calm one."),
    "simulate": ("gateway.cli.trial", "Run a simulated Loop, Shopify and partners on this machine."),
}


class Commands(click.Group):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="returns-gateway", prog_name="gateway")
def cli() -> None:
    """Returns between Loop, a 3PL's folders and Shopify.

    \b
    Try it:          gateway demo
    A workspace:     gateway init my-returns && cd my-returns && gateway check-config
    Run it:          gateway run
    Ask it:          gateway status        gateway explain 77000001
    """


def main() -> None:
    """Run, and turn a failure into words and an exit code."""
    from gateway.errors import GatewayError

    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except GatewayError as error:
        click.echo(f"gateway: {error.message}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
