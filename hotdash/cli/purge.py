"""`hotdash purge`: end what keeps the old version of a module, and drop the version."""

from __future__ import annotations

from pathlib import Path

import click

from hotdash.model.old_code_lines import holder_lines, pids_of, purge_question, purged_lines
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import PLAN_TIMEOUT_SECONDS, Client
from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import Refused

from .confirmation import confirm
from .output import print_table, show
from .processes.pages import titles_of
from .session import with_client
from .shared_options import node_options, output_option, reason_option, yes_option
from .shell.values import complete_modules
from .tables.layout import block


@click.command()
@node_options
@click.argument("module", shell_complete=complete_modules)
@yes_option
@reason_option
@output_option
def purge(node: str, cookie_file: Path | None, module: str, yes: bool, reason: str | None, output: str) -> None:
    """Kill the processes and cancel the tasks that keep the old version of MODULE. Lists them before it asks."""

    async def end(client: Client) -> m.Purged:
        old = await client.request(methods.OLD_CODE, timeout=PLAN_TIMEOUT_SECONDS)
        found = next((one for one in old.modules if one.module == module), None)
        if found is None:
            name = clip(module, MAX_SHOWN_NAME)
            raise Refused(f"{name} has no old version on {node}; 'hotdash modules {node}' lists the modules.")
        if not yes:
            names = await titles_of(client, pids_of([found]))
            print_table(block(holder_lines(found, names)))
        confirm(purge_question(found, node), yes)
        request = m.PurgeModule(module=module, boot_id=client.info.boot_id, reason=reason)
        return await client.request(methods.PURGE, request, timeout=PLAN_TIMEOUT_SECONDS)

    purged = with_client(node, cookie_file, end)
    show(purged, output, lambda: block(purged_lines(purged)))
    if not purged.dropped:
        raise Refused(f"The old version of {purged.module} is still in use; it is dropped when none of its code runs.")


VERBS = (purge,)
