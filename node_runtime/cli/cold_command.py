"""The verb `cold` of bin/<name>: while a node is down, checks the release that the node has to boot next, on probation.

The code of the permanent release makes the checks, so that the new release can't decide whether it may run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from node_runtime.control.audit import audited
from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.local_user import local_user
from node_runtime.releases.cold_upgrade import check_cold_target, cold_operation
from node_runtime.releases.operation_history import OperationHistory
from node_runtime.releases.store.release_store import ReleaseStore

from .directory_lock import hold_directory


def cold(directory: Path, node: str, words: list[str]) -> None:
    """Check the release, record the install as an operation, and print the release's version.

    The operation ends when the release has booted. Raises Refused.
    """
    parser = argparse.ArgumentParser(prog="upgrade", description=f"Start {node} with the release VSN, on probation.")
    parser.add_argument("vsn")
    parser.add_argument("--cold", action="store_true", help="required while the node is down")
    parser.add_argument("--again", action="store_true", help="retry a release that has failed on this node")
    parser.add_argument("--reason", help="the reason, for the node's audit log")
    parser.add_argument("--yes", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    with hold_directory(directory, "wait until it has ended, or upgrade while it runs"):
        audited(directory, "install", options.vsn, lambda: _check(directory, options))
    print(options.vsn)


def _check(directory: Path, options: argparse.Namespace) -> str:
    store = ReleaseStore(directory)
    check_cold_target(options.vsn, store, again=options.again)
    store.check(options.vsn)
    policy = store.trust_policy()
    if policy.error is not None:
        raise Refused(policy.error)
    if policy.settings.approvals > 1:
        raise Refused("This node's installs need approvals; start the node, and upgrade it while it runs.")
    operation = cold_operation(
        "install", store.permanent, options.vsn, "local", claim=local_user(), reason=options.reason
    )
    OperationHistory(directory / "var" / "history", store.permanent).begin(operation)
    return f"the node boots release {options.vsn} on probation"
