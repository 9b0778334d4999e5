"""Notes for the author about the changes between two releases that need no instruction in an appup."""

from __future__ import annotations

from collections.abc import Iterator

from node_runtime.releases.appups.check.continuity_rules import why_child_restarts
from node_runtime.releases.appups.check.module_rules import differing_modules
from node_runtime.releases.appups.check.running_node import RunningNode
from node_runtime.releases.appups.code.continuity import keeping_remedy
from node_runtime.releases.appups.code.release_facts import ReleaseFacts
from node_runtime.releases.appups.sources.release_source import ReleaseSource

from .keeping_modules import modules_that_keep


def generation_notes(
    older: ReleaseSource, newer: ReleaseSource, facts: tuple[ReleaseFacts, ReleaseFacts]
) -> Iterator[str]:
    """Yield a sentence for each change of requirements, configuration or applications.

    Further sentences are about listeners that nothing starts or stops, children that lose their states, states that a
    gen_statem lacks in one of the releases, and unchanged modules that keep code of changed modules.
    """
    before, after = set(older.requirements), set(newer.requirements)
    if before != after:
        changed = ", ".join(sorted(after - before) or sorted(before - after))
        yield (
            f"The requirements change ({changed}): no running node can load them, so the upgrade needs a restart; "
            "use `upgrade --cold`."
        )
    for app, environment in newer.environment.items():
        old = older.environment.get(app)
        if old is None:
            yield f"The application {app} is new: the node starts it by itself, without an instruction in an appup."
            continue
        for key in sorted({*old, *environment}):
            if old.get(key) != environment.get(key) or (key in old) is not (key in environment):
                yield (
                    f"The parameter {key} of {app} changes: the node sets it by itself, without an instruction. A "
                    "process that has read it keeps the old value unless config_change of the application handles it."
                )
    for app in older.environment:
        if app not in newer.environment:
            yield f"The application {app} is removed: the node stops it by itself, without an instruction in an appup."
    yield from _listeners(*facts)
    yield from _restarted_children(older, newer, facts)
    yield from _lost_states(*facts)
    yield from _kept_code(older, newer, facts)


def _listeners(older: ReleaseFacts, newer: ReleaseFacts) -> Iterator[str]:
    """Yield a sentence for each listener that only one release has, and that is not a child of a supervisor."""
    children = {child for facts in (older, newer) for one in facts.supervisors.values() for child in one.children}
    before, after = ({of.listener for of in facts.routes} - children for facts in (older, newer))
    for name in sorted(after - before):
        yield (
            f'The listener "{name}" is new, and an upgrade does not call the start of an application. Let the appup '
            "`apply` a function that starts the listener; otherwise, the listener is missing until the node restarts."
        )
    for name in sorted(before - after):
        yield (
            f'The listener "{name}" is removed, and an upgrade does not call the stop of an application. Let the '
            "appup `apply` node_runtime.web:stop_http; otherwise, the listener stays until the node restarts."
        )


def _restarted_children(
    older: ReleaseSource, newer: ReleaseSource, facts: tuple[ReleaseFacts, ReleaseFacts]
) -> Iterator[str]:
    """Yield a sentence for each child that is restarted and loses its state, because its process can't go on."""
    node = RunningNode(*facts, (older.view, newer.view))
    for table in node.tables.values():
        for child, old in table.left.children.items():
            why = why_child_restarts(node, table, child)
            if why is None:
                continue
            remedy = keeping_remedy(facts[1], old, table.target.children[child])
            kept = f" To keep its state, write {remedy}, and generate again." if remedy else ""
            yield (
                f"The state of the child {child} of {table.name} is lost, because the upgrade and the downgrade "
                f"restart it: {why}.{kept}"
            )


def _lost_states(older: ReleaseFacts, newer: ReleaseFacts) -> Iterator[str]:
    """Yield a sentence for each gen_statem class without a code_change that has lost or gained state names."""
    for name, cls in newer.servers.items():
        old = older.servers.get(name)
        if old is None or {old.kind, cls.kind} != {"gen_statem"} or cls.method("code_change") is not None:
            continue
        states = [{getattr(part, "name", "") for part in each.node.body} for each in (old, cls)]
        for lost, vsn in ((states[0] - states[1], newer.code.vsn), (states[1] - states[0], older.code.vsn)):
            public = sorted(state for state in lost if state and not state.startswith("_"))
            if public:
                yield (
                    f"The state machine {name} has no state {' and no state '.join(public)} in {vsn}: an "
                    "install waits until its processes are in other states; to avoid the wait, write a code_change."
                )


def _kept_code(older: ReleaseSource, newer: ReleaseSource, facts: tuple[ReleaseFacts, ReleaseFacts]) -> Iterator[str]:
    """Yield a sentence for each unchanged module that keeps old code, but can't be loaded without losing data."""
    for app in newer.view.apps:
        changed = {module for module, _, _ in differing_modules(older, newer, app.name)}
        for keeper in modules_that_keep(*facts, changed, set(app.modules)):
            if keeper.data:
                yield (
                    f"The body of {keeper.module} keeps code or values of {keeper.origin}. After the upgrade, "
                    f"{keeper.module} still uses the old ones: the appup does not load it, because a load creates "
                    f"{', '.join(keeper.data)} again and loses the data. To load {keeper.module}, list these names in "
                    "its `__carry__`, and generate again."
                )
