"""Words of mails and alerts from templates: sandboxed, and escaped where they are HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def render(template: str, facts: Mapping[str, Any], *, html: bool) -> str:
    """A template with its facts; a name that is not there is an error, not a blank."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(**facts).strip() + "\n"
