"""Requests of an upgrade's script to processes that the upgrade holds.

Requests from other senders wait until the script has ended. But the script waits for the replies to its own requests,
so the held processes answer the script's requests at once. A process that an instruction of the script has suspended
doesn't answer, because it may have new code but still its old state.
"""

from __future__ import annotations

from node_runtime.behaviours.behaviour_process import BehaviourProcess
from node_runtime.processes.process import YIELDING, MailItem
from node_runtime.processes.transaction import Transaction, current_transaction


def script_of(process: BehaviourProcess) -> Transaction | None:
    """Return the transaction of the calling script, or None if the process must not answer this script now."""
    script = current_transaction()
    if script is None or process.pid in script.exiting or not (process.suspend_owners or set()) <= {script.owner}:
        return None
    return script if process.module in script.answering_modules or process.pid in script.started else None


def serve_script(process: BehaviourProcess, item: MailItem, script: Transaction) -> None:
    """Let a held process handle a request of the script, and hold the process again.

    The process runs the version of its module that is current at this point of the script.
    """
    if process.code.home.__dict__ is not process.code.namespace and process.module not in script.previous_namespaces:
        process.refresh()
    process.serve(item, YIELDING)
