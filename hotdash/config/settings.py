"""The settings file `$XDG_CONFIG_HOME/hotdash/config.toml`, which the user writes and hotdash only reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import ExitCode, Refused

from .locations import config_directory
from .toml_file import read_toml


class RemoteNode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node of another machine or of another user."""

    cookie_file: Annotated[str, msgspec.Meta(description="The file with the node's cookie; ~ is the home directory.")]

    def cookie_path(self) -> Path:
        """Return the path of the cookie file."""
        return Path(self.cookie_file).expanduser()


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the settings file."""

    theme: Annotated[
        str | None,
        msgspec.Meta(description="The theme at the start. Without it, hotdash takes the theme that was used last."),
    ] = None
    remember: Annotated[
        bool,
        msgspec.Meta(description="Whether to keep the theme, the columns and the open rows for the next start."),
    ] = True
    columns: Annotated[
        dict[str, tuple[str, ...]],
        msgspec.Meta(description="For each view, by name: the columns that it shows at first."),
    ] = msgspec.field(default_factory=dict)
    nodes: Annotated[
        dict[str, RemoteNode],
        msgspec.Meta(
            description="More nodes for the list of nodes, by name@host:port. The list always has this machine's nodes."
        ),
    ] = msgspec.field(default_factory=dict)


def settings_path() -> Path:
    """Return the path of the settings file, which need not exist."""
    return config_directory() / "config.toml"


def read_settings(path: Path) -> Settings:
    """Return the settings, or the defaults without a file. Raises Refused (USAGE) for a file with an error."""
    table = read_toml(path, "settings")
    unknown = [name for name in table if name not in Settings.__struct_fields__]
    if unknown:
        raise Refused(
            f"{path} has the setting {clip(unknown[0], MAX_SHOWN_NAME)!r}, which does not exist; the settings are "
            f"{', '.join(Settings.__struct_fields__)}.",
            ExitCode.USAGE,
        )
    try:
        return msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise Refused(
            f"The settings in {path} are not valid: {error}; 'hotdash config schema' prints the schema of the file.",
            ExitCode.USAGE,
        ) from None


def settings_schema() -> dict[str, Any]:
    """Return the JSON schema of the settings file."""
    schema = msgspec.json.schema(Settings)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
