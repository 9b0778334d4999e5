"""The remedies for what a rehearsal finds, as its blockers name them."""

from __future__ import annotations

from typing import Final

from node_runtime.protocol.messages import RehearsalOutcome

REMEDIES: Final[dict[RehearsalOutcome, str]] = {
    "raised": "correct the code_change and build the release under a new vsn",
    "wrong type": "let the code_change return the type that the class declares, or correct the declaration",
    "no such state": "let the code_change map the state to one that the new version defines",
    "mutated": "let the code_change return a new state and leave the old state unchanged, "
    "because a failed install needs the old state",
    "hung": "correct the code_change, because all suspended processes would wait for it, "
    "or raise `code_change` in node.toml",
    "died": "correct the code_change, which would end the node",
}
REMEDIES_LOAD: Final[dict[str, str]] = {
    "raised": "correct the module and build the release under a new vsn",
    "address in use": "open the socket in a process, because the old version of the module keeps its socket open",
    "hung": "correct the module, or raise `prepare` in node.toml",
    "died": "correct the module, which would end the node",
}
REMEDY_CHILDREN: Final = "correct children() and build the release under a new vsn"
REMEDY_CALL: Final = "correct the function, or its args in the appup, and build the release under a new vsn"
REMEDY_REGISTRY: Final = (
    "; if {module} only refuses to register the same thing twice, list its container in `__registries__` of {module}, "
    "and let the appup load it together with the modules that register there"
)
