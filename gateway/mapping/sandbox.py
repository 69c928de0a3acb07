"""The sandbox in which templates run, compiled once each.

Jinja2's own asks several questions about every attribute that a template reads, again for every document. Their answers depend on the type and the
name alone, so they are remembered here; what a template may do is what `ImmutableSandboxedEnvironment` lets it do, no more and no less.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

FINALIZE = "_finalize"  # the name by which a template's facts carry what its values go through
_MOST_KNOWN = 4096


class Sandbox(ImmutableSandboxedEnvironment):
    """An immutable sandbox that remembers which plain attributes of which types it found safe; methods are looked at each time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False, **options)
        self._safe: set[tuple[type, str]] = set()

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An attribute, or item of that name, or what stands for one that may not be read."""
        if (type(obj), attribute) in self._safe:
            value = getattr(obj, attribute, None)
            if value is not None and not callable(value):
                return value
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may read the attribute; by type and name."""
        safe = super().is_safe_attribute(obj, attr, value)
        if safe and not callable(value) and len(self._safe) < _MOST_KNOWN:
            self._safe.add((type(obj), attr))
        return safe


@pass_context
def _finalize(context: Context, value: Any) -> str:
    """Templates are compiled once for all partners; what finishes their values comes with the facts."""
    finished: str = context.parent[FINALIZE](value)
    return finished


@lru_cache(maxsize=64)
def document(template: str) -> Template:
    """A template whose every value is finished by the function that its facts hold as `FINALIZE`."""
    return Sandbox(finalize=_finalize, keep_trailing_newline=True).from_string(template)


@lru_cache(maxsize=64)
def text(template: str) -> Template:
    """A template of words for people."""
    return Sandbox().from_string(template)
