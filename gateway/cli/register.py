"""`service`: the gateway as a service of the system, started at boot, restarted after a failure, stopped cleanly (R-170).

On Linux a systemd unit, on Windows a WinSW definition; both are text made here, shown by `service show`, and written and registered by `service install`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import click

from gateway import config
from gateway.cli.options import confirm, say_json, with_config, with_dry_run, with_json, with_yes
from gateway.errors import PermanentError

UNIT = Path("/etc/systemd/system/gateway.service")
SYSTEMD = """\
[Unit]
Description=Returns gateway: Loop, a 3PL's folders, Shopify
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command} run --config {root}
WorkingDirectory={root}
User={user}
EnvironmentFile=-{root}/gateway.env
Restart=always
RestartSec=5
RestartPreventExitStatus=3
WatchdogSec=120
TimeoutStartSec=60
TimeoutStopSec=30
KillSignal=SIGTERM
UMask=0027

# Hardening: it needs its workspace, the network, and nothing else.
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome={protect_home}
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProcSubset=pid
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
WINSW = """\
<service>
  <id>gateway</id>
  <name>Returns gateway</name>
  <description>Returns between Loop, a 3PL's folders and Shopify</description>
  <executable>{command}</executable>
  <arguments>run --config "{root}"</arguments>
  <workingdirectory>{root}</workingdirectory>
  <startmode>Automatic</startmode>
  <delayedAutoStart>true</delayedAutoStart>
  <onfailure action="restart" delay="5 sec"/>
  <onfailure action="restart" delay="30 sec"/>
  <resetfailure>1 hour</resetfailure>
  <stoptimeout>30 sec</stoptimeout>
  <stopparentprocessfirst>true</stopparentprocessfirst>
  <log mode="none"/>
</service>
"""


def command_path() -> str:
    """The `gateway` program beside this Python, else as found."""
    own = Path(sys.executable).with_name("gateway.exe" if os.name == "nt" else "gateway")
    return str(own) if own.exists() else str(Path(sys.argv[0]).resolve())


def unit(workspace: config.Workspace, *, user: str) -> str:
    """The systemd unit for a workspace."""
    outside = {folder for profile in workspace.profiles.values() for folder in (profile.folders.inbox, profile.folders.outbox) if folder}
    writable = [workspace.root, *(Path(folder) for folder in sorted(outside) if Path(folder).is_absolute())]
    at_home = any(path.is_relative_to(home) for path in (*writable, Path(command_path())) for home in ("/home", "/root"))
    return SYSTEMD.format(
        command=command_path(),
        root=workspace.root,
        user=user,
        writable=" ".join(str(path) for path in writable),
        protect_home="no" if at_home else "yes",
    )


def winsw(workspace: config.Workspace) -> str:
    """The WinSW definition for a workspace."""
    return WINSW.format(command=escape(command_path()), root=escape(str(workspace.root)))


def definition(workspace: config.Workspace, *, user: str) -> tuple[Path, str]:
    """Where this system's definition goes, and its text."""
    if os.name == "nt":
        return workspace.root / "gateway-service.xml", winsw(workspace)
    return UNIT, unit(workspace, user=user)


@click.group()
def service() -> None:
    """The gateway as a service of this system: systemd on Linux, WinSW on Windows.

    \b
    Example:  gateway service show
              sudo gateway service install --user gateway
              gateway service status --json
    """


@service.command()
@click.option("--user", default="gateway", show_default=True, help="The account it runs under (Linux).")
@click.option("--windows", is_flag=True, help="The Windows definition, on any system.")
@with_config
@with_json
def show(user: str, windows: bool, config_path: str | None, as_json: bool) -> None:
    """Print the definition; nothing is written.

    \b
    Example:  gateway service show --user gateway
    """
    workspace = config.load(config_path)
    path, text = definition(workspace, user=user)
    text = winsw(workspace) if windows else text
    say_json({"path": str(path), "definition": text}) if as_json else click.echo(text)


@service.command()
@click.option("--user", default="gateway", show_default=True, help="The account it runs under (Linux); it must exist and own the workspace.")
@with_config
@with_dry_run
@with_yes
@with_json
def install(user: str, config_path: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Write the definition, register it, start it now and at every boot.

    \b
    Example:  sudo gateway service install --user gateway
    """
    path, text = definition(config.load(config_path), user=user)
    steps = [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", "gateway.service"]]
    if os.name == "nt":
        steps = [["gateway-service.exe", "install"], ["gateway-service.exe", "start"]]
    if dry_run and as_json:
        say_json({"path": str(path), "definition": text, "then": [" ".join(step) for step in steps], "dry_run": True})
        return
    if dry_run:
        click.echo(f"Would write {path}:\n\n{text}\nThen: " + "; ".join(" ".join(step) for step in steps))
        return
    confirm(f"Write {path} and start the service?", yes=yes)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise PermanentError(f"{path} cannot be written ({fault.strerror}); run this as administrator (sudo), or see --dry-run") from fault
    for step in steps:
        _run(step)
    told = f"{path} is written and the service started; `gateway service status` shows it."
    say_json({"path": str(path), "said": told}) if as_json else click.echo(told)


@service.command()
@with_dry_run
@with_yes
@with_json
def uninstall(dry_run: bool, yes: bool, as_json: bool) -> None:
    """Stop the service and take it off; the workspace stays as it is.

    \b
    Example:  sudo gateway service uninstall
    """
    steps = (
        [["systemctl", "disable", "--now", "gateway.service"]]
        if os.name != "nt"
        else [["gateway-service.exe", "stop"], ["gateway-service.exe", "uninstall"]]
    )
    if dry_run:
        told = [" ".join(step) for step in steps] + ([f"remove {UNIT}"] if os.name != "nt" else [])
        say_json({"dry_run": True, "would_do": told}) if as_json else click.echo("Would do: " + "; ".join(told))
        return
    confirm("Stop the service and take it off?", yes=yes)
    for step in steps:
        _run(step)
    if os.name != "nt":
        UNIT.unlink(missing_ok=True)
        _run(["systemctl", "daemon-reload"])
    told_off = "The service is off; the workspace stays as it is."
    say_json({"said": told_off}) if as_json else click.echo(told_off)


@service.command()
@with_json
def status(as_json: bool) -> int:
    """What the system says of the service. Exit code 1 when it does not run.

    \b
    Example:  gateway service status --json
    """
    if as_json:
        return _say_status()
    step = ["systemctl", "status", "--no-pager", "gateway.service"] if os.name != "nt" else ["gateway-service.exe", "status"]
    return 1 if _run(step, check=False) else 0


def _say_status() -> int:
    step = ["systemctl", "is-active", "gateway.service"] if os.name != "nt" else ["gateway-service.exe", "status"]
    try:
        said = subprocess.run(step, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        say_json({"installed": UNIT.exists(), "state": "no service manager here"})
        return 1
    say_json({"installed": UNIT.exists(), "state": said.stdout.strip() or said.stderr.strip()})
    return 1 if said.returncode else 0


def _run(step: list[str], *, check: bool = True) -> int:
    try:
        code = subprocess.run(step, check=False).returncode
    except FileNotFoundError as fault:
        where = (
            "systemd does not run here" if os.name != "nt" else "put WinSW beside gateway-service.xml as gateway-service.exe (see docs/service.md)"
        )
        raise PermanentError(f"{step[0]} is not there: {where}") from fault
    if check and code:
        raise PermanentError(f"`{' '.join(step)}` ended with {code}; what it said is above")
    return code
