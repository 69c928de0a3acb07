"""`completion`: what to put into a shell's profile so that it completes commands, options and names."""

from __future__ import annotations

import click

from gateway.cli.options import say_json, with_json

POWERSHELL = """Register-ArgumentCompleter -Native -CommandName gateway -ScriptBlock {
    param($word, $line, $position)
    $env:_GATEWAY_COMPLETE = 'bash_complete'
    $words = $line.ToString().Substring(0, [Math]::Min($position, $line.ToString().Length))
    $count = ($words -split '\\s+' | Where-Object { $_ -ne '' }).Count
    if ($word -ne '') { $count = $count - 1 }
    $env:COMP_WORDS = $words
    $env:COMP_CWORD = $count
    gateway | ForEach-Object {
        $kind, $value = $_ -split ',', 2
        if ($value) { [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $value) }
    }
    Remove-Item Env:_GATEWAY_COMPLETE, Env:COMP_WORDS, Env:COMP_CWORD
}
"""
PLACES = {
    "bash": "gateway completion bash > ~/.local/share/bash-completion/completions/gateway",
    "zsh": "gateway completion zsh > ~/.zfunc/_gateway  (with fpath+=~/.zfunc before compinit in ~/.zshrc)",
    "fish": "gateway completion fish > ~/.config/fish/completions/gateway.fish",
    "powershell": "gateway completion powershell >> $PROFILE",
}


@click.command()
@click.argument("shell", type=click.Choice(list(PLACES)))
@with_json
def completion(shell: str, as_json: bool) -> int:
    """The completion script of a shell, to put where that shell looks for it.

    \b
    Example:  gateway completion bash > ~/.local/share/bash-completion/completions/gateway
              gateway completion zsh > ~/.zfunc/_gateway
              gateway completion fish > ~/.config/fish/completions/gateway.fish
              gateway completion powershell >> $PROFILE
    """
    script = script_for(shell)
    say_json({"shell": shell, "script": script, "install": PLACES[shell]}) if as_json else click.echo(script)
    return 0


def script_for(shell: str) -> str:
    """The script; click writes those of three shells, the fourth asks it in the words of the first."""
    from click.shell_completion import get_completion_class

    from gateway.cli.main import cli

    if shell == "powershell":
        return POWERSHELL
    kind = get_completion_class(shell)
    assert kind is not None, f"click completes {shell}"
    return kind(cli, {}, "gateway", "_GATEWAY_COMPLETE").source()
