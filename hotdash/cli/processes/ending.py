"""`hotdash restart` and `hotdash kill`: end one process, or a task that no process owns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from hotdash.cli.confirmation import confirm
from hotdash.cli.output import show
from hotdash.cli.session import with_client
from hotdash.cli.shared_options import node_options, output_option, reason_option, yes_option
from hotdash.cli.shell.values import complete_processes
from node_runtime.protocol import messages as m
from node_runtime.protocol import methods
from node_runtime.protocol.client import Client
from node_runtime.protocol.exit_codes import Refused

from .pages import find_process


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME", shell_complete=complete_processes)
@yes_option
@reason_option
@output_option
def restart(**arguments: Any) -> None:
    """Restart one process through its supervisor."""
    _end_process("restart", **arguments)


@click.command()
@node_options
@click.argument("process", metavar="PID|NAME|TASK", shell_complete=complete_processes)
@yes_option
@reason_option
@output_option
def kill(**arguments: Any) -> None:
    """Kill one process, or cancel tasks.

    PROCESS is the name or pid of a process, or the name of tasks that no process owns. The supervisor of a killed
    process treats the kill as a crash.
    """
    _end_process("kill", **arguments)


def _end_process(
    verb: str, node: str, cookie_file: Path | None, process: str, yes: bool, reason: str | None, output: str
) -> None:
    method = methods.RESTART_PROCESS if verb == "restart" else methods.KILL_PROCESS

    async def end(client: Client) -> m.ProcessSummary | m.TaskList:
        boot_id = client.info.boot_id
        try:
            target = await find_process(client, process)
        except Refused:
            tasks = await _tasks_named(client, process) if verb == "kill" else []
            if not tasks:
                raise
            titles = " and ".join(one.title for one in tasks)
            confirm(f"cancel {titles} on {node}?", yes)
            return await client.request(methods.KILL_TASK, m.TaskTarget(name=process, boot_id=boot_id, reason=reason))
        confirm(f"{verb} {target.name or target.module} <{target.pid}> on {node}?", yes)
        await client.request(method, m.ProcessTarget(pid=target.pid, boot_id=boot_id, reason=reason))
        return target

    target = with_client(node, cookie_file, end)
    show(target, output, lambda: Text(f"Requested on {node}: {verb} {_title(target)}."))


async def _tasks_named(client: Client, name: str) -> list[m.TaskInfo]:
    """Return the tasks with this name that no process owns."""
    return [one for one in (await client.request(methods.STRAY_TASKS)).tasks if one.name == name]


def _title(target: m.ProcessSummary | m.TaskList) -> str:
    if isinstance(target, m.TaskList):
        return " and ".join(task.title for task in target.tasks)
    return f"{target.name or target.module} <{target.pid}>"


VERBS = (restart, kill)
