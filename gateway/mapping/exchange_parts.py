"""The parts of a profile that say how files are exchanged beyond a pair of folders: a server, packing, encryption, limits."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sftp(_Part):
    """A partner's server that the gateway keeps in step with the partner's inbox and outbox."""

    host: str
    port: int = Field(default=22, ge=1, le=65535)
    user: str
    password: str = ""
    key: str = ""
    passphrase: str = ""
    host_key: tuple[str, ...] = ()
    remote_in: str = ""
    remote_out: str = ""
    remote_test_in: str = ""
    remote_test_out: str = ""
    after_taking: Literal["delete", "move", "keep"] = "delete"
    taken_folder: str = ""
    temporary_name: str = ".{name}.{id}.part"
    channels: int = Field(default=4, ge=1, le=32)
    every_seconds: float = Field(default=30.0, gt=0)
    settle_seconds: float = Field(default=5.0, ge=0)
    connect_seconds: float = Field(default=15.0, gt=0)
    answer_seconds: float = Field(default=60.0, gt=0)
    keep_alive_seconds: float = Field(default=30.0, ge=0)

    @field_validator("host_key", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return ((value,) if value else ()) if isinstance(value, str) else value

    @field_validator("host_key")
    @classmethod
    def _pins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pin in value:
            if not pin.startswith("SHA256:") and " " not in pin:
                raise ValueError(f'{pin!r} is no host key; write "SHA256:…" or "ssh-ed25519 AAAA…" (`gateway partner test-connection` shows it)')
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Sftp:
        if bool(self.password) == bool(self.key):
            raise ValueError('give either key or password, as "env:NAME" or "file:PATH"')
        for reference in (self.password, self.key, self.passphrase):
            if reference and not reference.startswith(("env:", "file:")):
                raise ValueError('a secret must be named as "env:NAME" or "file:PATH", not written into the profile')
        if self.after_taking == "move" and not self.taken_folder:
            raise ValueError('after_taking = "move" needs taken_folder, the folder on the server where taken files go')
        if not any((self.remote_in, self.remote_out, self.remote_test_in, self.remote_test_out)):
            raise ValueError("say which folders of the server are used: remote_in (their files for us) and remote_out (ours for them)")
        if "{name}" not in self.temporary_name or "/" in self.temporary_name:
            raise ValueError("temporary_name must contain {name} and be a plain name")
        return self

    @property
    def incoming(self) -> dict[str, str]:
        """The server's folders we take from, by kind."""
        return {kind: path for kind, path in (("production", self.remote_in), ("test", self.remote_test_in)) if path}

    @property
    def outgoing(self) -> dict[str, str]:
        """The server's folders we put into, by kind."""
        return {kind: path for kind, path in (("production", self.remote_out), ("test", self.remote_test_out)) if path}


class Unpack(_Part):
    """Packed files a partner may send, and their limits; what is not named here is not unpacked."""

    kinds: tuple[Literal["zip", "gzip"], ...] = ()
    largest: int = Field(default=512 * 1024 * 1024, gt=0)
    ratio: float = Field(default=200.0, gt=1)
    count: int = Field(default=1000, gt=0)


class Pgp(_Part):
    """PGP with the `gpg` program and a keyring folder of the gateway's own (relative to the workspace)."""

    keyring: str
    decrypt: bool = True
    signers: tuple[str, ...] = ()
    recipient: str = ""
    sign_with: str = ""
    passphrase: str = ""
    program: str = "gpg"

    @field_validator("passphrase")
    @classmethod
    def _by_reference(cls, value: str) -> str:
        if value and not value.startswith(("env:", "file:")):
            raise ValueError('a secret must be named as "env:NAME" or "file:PATH", not written into the profile')
        return value


class Limits(_Part):
    """How much of a partner's is taken at a time, so that one partner's flood never stops another."""

    files_a_minute: int = Field(default=0, ge=0)
    bytes_a_minute: int = Field(default=0, ge=0)
    queue: int = Field(default=500, ge=1)
