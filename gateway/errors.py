"""The three kinds of failure that the worker knows how to settle.

A room that can fail beyond the caller's plan derives its own exceptions from one of these, beside the function that raises
them; the docstring of the class is its default message. Expected outcomes are values (Finding, Decision, Outcome), not exceptions.
"""


class GatewayError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__ or "")

    @property
    def message(self) -> str:
        """What to tell a person: what happened, to what, why, what to do."""
        return str(self.args[0])


class TemporaryError(GatewayError):
    """It failed for a passing reason and is tried again after `delay` seconds (None: the caller's own back-off)."""

    def __init__(self, message: str | None = None, *, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class PermanentError(GatewayError):
    """It failed for a lasting reason; trying again changes nothing until a person acts."""


class HeldError(GatewayError):
    """It waits for something that is missing (a setting, a mapping, an earlier document) and goes on when that is there."""
