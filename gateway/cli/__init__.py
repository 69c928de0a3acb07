"""The command line; `gateway.cli:main` is its entry. Sub-commands are imported only when they are called."""

from gateway.cli.main import main

__all__ = ["main"]
