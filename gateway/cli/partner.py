"""`gateway partner`: what concerns one trading partner and its server. The sub-commands are in this table and are imported when they are called."""

from __future__ import annotations

import importlib

import click

PARTNER_COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("gateway.cli.partner_look", "Every partner: stage, documents, folders, server."),
    "show": ("gateway.cli.partner_look", "One partner: identifiers, documents, folders, server, what lies where."),
    "test-connection": ("gateway.cli.partner_server", "Try a partner's SFTP server step by step; shows the host key to pin."),
    "sync": ("gateway.cli.partner_server", "Carry a partner's files to and from its server now."),
    "add": ("gateway.cli.partner_setup", "Set a new partner up by answering questions."),
    "propose": ("gateway.cli.partner_mapping", "From sample files, propose what their columns mean."),
    "preview-mapping": ("gateway.cli.partner_mapping", "A sample beside what the profile makes of it, with what is left over."),
    "samples": ("gateway.cli.partner_setup", "Write the sample files of the checklist for a partner."),
    "checklist": ("gateway.cli.partner_stage", "What a partner in testing has shown, and what it must still show."),
    "waive": ("gateway.cli.partner_stage", "Let a partner go live without a case."),
    "stage": ("gateway.cli.partner_stage", "Bring a partner to another stage: setup, testing, ready, live."),
}


class _Group(click.Group):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(PARTNER_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in PARTNER_COMMANDS:
            return None
        module = importlib.import_module(PARTNER_COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, "list_" if cmd_name == "list" else cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in PARTNER_COMMANDS.items()])


@click.group(cls=_Group)
def partner() -> None:
    """Trading partners: set up, look at, try out, sync. Every sub-command takes --json.

    \b
    Example:  gateway partner list
              gateway partner test-connection ATLAS
    """
