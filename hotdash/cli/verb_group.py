"""The group of the verbs: a command line imports only the verb that it names."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click

VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        verb: module
        for module, verbs in {
            "abort": "abort",
            "approve": "approve",
            "commit": "commit",
            "dashboard.config": "config",
            "dashboard.connect": "connect nodes demo",
            "dashboard.difference": "diff",
            "dashboard.record": "record replay",
            "dashboard.serve": "serve",
            "deploy": "deploy",
            "inspect": "status modules releases results events audit",
            "plan": "plan",
            "processes.ending": "restart kill",
            "processes.inspection": "process",
            "processes.listing": "ps state",
            "processes.recording": "log trace suspend resume",
            "processes.tree": "tree",
            "purge": "purge",
            "remove": "remove",
            "rollback": "rollback",
            "shell.completion": "completion",
            "stage": "stage",
            "upgrade": "upgrade downgrade",
        }.items()
        for verb in verbs.split()
    }
)
"""The module of each verb in this package; the module's VERBS has the verb.

Importing all of these modules takes about twice as long as importing one.
"""


class VerbGroup(click.Group):
    """A group of verbs that imports a verb only when the verb is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"hotdash.cli.{VERBS[cmd_name]}")
        verbs: tuple[click.Command, ...] = module.VERBS
        return next(verb for verb in verbs if verb.name == cmd_name)
