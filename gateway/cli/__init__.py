"""The command line; `gateway.cli:main` is its entry."""


def main() -> None: ...
