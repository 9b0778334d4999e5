"""`hotdash config`: the files with the user's settings and keys, and the schema of the settings file."""

from __future__ import annotations

import click
import msgspec

from hotdash.cli.output import show, to_builtins
from hotdash.cli.shared_options import output_option
from hotdash.cli.tables.layout import key_values
from hotdash.config.memory import memory_path
from hotdash.config.settings import read_settings, settings_path, settings_schema


@click.group()
def config() -> None:
    """Show your settings, and the files where they are."""


@config.command("show")
@output_option
def show_settings(output: str) -> None:
    """Check the files of settings and keys, and print their content."""
    from hotdash.keymap import keymap_path, read_keymap

    settings = read_settings(settings_path())
    keys = read_keymap(keymap_path())
    paths = {"settings": str(settings_path()), "keys": str(keymap_path()), "remembered": str(memory_path())}
    fields = {"files": paths, "settings": settings, "keys": keys}
    rows = [*paths.items(), *((name, str(to_builtins(getattr(settings, name)))) for name in settings.__struct_fields__)]
    show(fields, output, lambda: key_values(*rows, *((f"key of {name}", key) for name, key in keys.items())))


@config.command()
def schema() -> None:
    """Print the JSON schema of the settings file, for editors that check TOML files."""
    click.echo(msgspec.json.format(msgspec.json.encode(settings_schema()), indent=2).decode())


VERBS = (config,)
