"""`hotdash completion`: the script with which a shell completes hotdash's command lines."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  put  eval "$(hotdash completion bash)"  into ~/.bashrc
    zsh:   put  eval "$(hotdash completion zsh)"  into ~/.zshrc
    fish:  put  hotdash completion fish | source  into ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "hotdash", "_HOTDASH_COMPLETE").source())


VERBS = (completion,)
