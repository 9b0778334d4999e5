"""A plan as styled lines."""

from __future__ import annotations

from collections import Counter

from node_runtime.protocol import messages as m

from .live_value_lines import live_value_lines
from .rehearsal_lines import rehearsal_lines, unrehearsed
from .releases.blocker_lines import blocker_groups, blocker_lines
from .releases.trust_lines import approval_lines
from .styled_text import Line, Span, Tone, line, sanitize, span
from .units import duration, plural

_ACTIONS: dict[str, tuple[str, Tone]] = {
    "load": ("new code at the next message", "ok"),
    "suspend": ("suspended, new code, same state", "warn"),
    "migrate": ("suspended, state converted by code_change", "warn"),
    "stop": ("shut down by the script", "bad"),
    "kill": ("killed, because the old code is purged", "bad"),
}
_CHILD_ACTIONS: dict[str, tuple[str, Tone]] = {
    "added": ("new", "ok"),
    "replaced": ("new specification", "warn"),
    "removed": ("no longer in the specification", "bad"),
    "left out": ("temporary, has already ended", "muted"),
}
_MODULE_ACTIONS: dict[str, Tone] = {"load": "warn", "add": "ok", "delete": "bad"}
_FATES: dict[m.ModuleValueFate, Tone] = {"carried": "ok", "migrated": "ok", "made anew": "muted", "lost": "bad"}
_FILE_CHANGES: dict[m.FileChange, Tone] = {"added": "ok", "changed": "warn", "removed": "bad"}
_MIN_BODIES_SECONDS = 0.05
"""A shorter stop of the node for the bodies of new modules is not shown."""
_MAX_LISTED = 12


def plan_title(plan: m.Plan) -> str:
    """Return the title of the plan."""
    verb = {"up": "Upgrade", "down": "Downgrade"}[plan.direction] if has_direction(plan) else "Change"
    return f"{verb} from {plan.from_vsn} to {plan.to_vsn}"


def has_direction(plan: m.Plan) -> bool:
    """Return whether the node has found a path to the release, so that the direction of the plan is known."""
    return bool(plan.id or plan.hops)


def plan_id(plan: m.Plan) -> str:
    """Return the plan's id, shortened for display."""
    return plan.id[:12]


def hard_blockers(plan: m.Plan) -> tuple[m.Blocker, ...]:
    """Return the blockers that waiting does not remove."""
    return tuple(blocker for blocker in plan.blockers if not blocker.transient)


def transient_blockers(plan: m.Plan) -> tuple[m.Blocker, ...]:
    """Return the blockers that may disappear by themselves."""
    return tuple(blocker for blocker in plan.blockers if blocker.transient)


def missing_approvals(plan: m.Plan) -> int:
    """Return how many other people have to approve the install first."""
    return 0 if plan.approval is None else plan.approval.missing


def needs_typed_consent(plan: m.Plan) -> bool:
    """Return whether an operator has to type the release's version.

    The version has to be typed if the install or one of its effects can't be undone, if data is lost, or if the bodies
    of new modules stop the node for a long time.
    """
    has_no_way_back = plan.direction == "up" and not plan.way_back
    dropped = () if plan.rehearsal is None else plan.rehearsal.lost
    is_lost_on_way_back = any(one.back and one.with_data for one in dropped)
    return bool(plan.irreversible or plan.lost or is_lost_on_way_back or plan.stall or has_no_way_back)


def verdict(plan: m.Plan) -> Span:
    """Return the verdict on the plan in one sentence."""
    if plan.nothing_to_do:
        return span(f"Nothing to do: the node already runs {plan.to_vsn}.", "ok")
    if hard_blockers(plan):
        causes = [group for group in blocker_groups(plan) if not group[0].transient]
        return span(f"Not possible now: {plural(len(causes), 'blocker')}.", "bad")
    if missing := missing_approvals(plan):
        return span(f"Not possible now: {plural(missing, 'approval')} missing.", "bad")
    if unrehearsed(plan):
        return span("Possible, but not everything could be rehearsed: the install needs explicit consent.", "warn")
    if plan.blockers:
        return span("Possible, but not at this instant.", "warn")
    return span("Possible. Nothing has been changed yet.", "ok")


def summary(plan: m.Plan) -> list[Line]:
    """Return the effects of the plan in a few lines, for a dialog."""
    lines = _module_counts(plan)
    for action, (words, tone) in _ACTIONS.items():
        touched = [process for process in plan.processes if process.action == action]
        if touched:
            lines.append(line(span(plural(len(touched), "process", "processes"), "strong"), ": ", span(words, tone)))
    if plan.rehearsal is not None and plan.rehearsal.reached:
        lines.append(
            line(
                "Rehearsed on a copy of the node. The install will suspend processes for about ",
                span(_pause(plan), "strong"),
                ".",
            )
        )
    if unknown := unrehearsed(plan):
        sentence = f"{unknown[0].upper()}{unknown[1:]} can't be rehearsed: the result is only known after the install."
        lines.append(line(span(sentence, "bad")))
    lines += [line(span(text, "bad")) for text in (*plan.irreversible, *plan.lost)]
    lines += [line(span(text, "warn")) for text in (*plan.lost_on_way_back, *_stall(plan))]
    back = "Reversible without a restart." if plan.way_back else "No way back without a restart."
    lines.append(line(span(back, "muted" if plan.way_back else "bad")))
    return lines


def _module_counts(plan: m.Plan) -> list[Line]:
    """Return a line with the modules that get new code, and one with those that are deleted, if there are any."""
    deleted = [module.name for module in plan.modules if module.action == "delete"]
    loaded = [module.name for module in plan.modules if module.action != "delete"]
    lines = [
        line(
            span(plural(len(loaded), "module gets", "modules get"), "strong"),
            " new code: " if loaded else " new code.",
            span(_first_names(loaded), "name"),
        )
    ]
    if deleted:
        count = span(plural(len(deleted), "module is", "modules are"), "strong")
        lines.append(line(count, " ", span("deleted", "bad"), ": ", span(_first_names(deleted), "name")))
    return lines


def _first_names(names: list[str]) -> str:
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")


def plan_lines(plan: m.Plan, outdated: str = "") -> list[Line]:
    """Return the whole plan by section. Empty sections are left out.

    `outdated` is a sentence that replaces the verdict if the plan no longer holds.
    """
    lines: list[Line] = [(span(outdated, "warn") if outdated else verdict(plan),)]
    lines += _section("Blockers", blocker_lines(plan))
    if plan.nothing_to_do:
        return lines
    lines += _section("Approvals", approval_lines(plan.approval))
    lines += _section("Warnings", [line(span("  ! ", "warn"), span(text)) for text in plan.warnings])
    modules = [one for module in plan.modules for one in _module(module, plan)]
    lines += _section(f"Modules  {len(plan.modules)}", modules)
    lines += _section("Data files", _files(plan))
    lines += _section(f"Processes  {len(plan.processes)}", _processes(plan))
    lines += _section("Data in modules", _module_values(plan))
    lines += _section("Values of old code", live_value_lines(plan.live_values))
    lines += _section("Children", [_child(child) for child in plan.children])
    if plan.rehearsal is not None and (plan.rehearsal.processes or plan.rehearsal.calls):
        lines += _section("Rehearsal", rehearsal_lines(plan.rehearsal))
    lines += _section("Instructions", _instructions(plan))
    lines += _section("Not undone if the install fails", [line("  ", span(one, "bad")) for one in plan.irreversible])
    lines += _section("Lost", [line("  ", span(one, "bad")) for one in plan.lost])
    lines += _section("Long stop", [line("  ", span(one, "bad")) for one in _stall(plan)])
    lines += _section("Lost by a rollback", [line("  ", span(one, "warn")) for one in plan.lost_on_way_back])
    lines += _section("Configuration", [_setting(*change) for change in plan.configuration])
    back = (
        span("Reversible: a rollback, or a missed commit, runs the downgrade steps.", "ok")
        if plan.way_back
        else span("No way back without a restart: a rollback restarts the node into the permanent release.", "bad")
    )
    lines += _section("Rollback", [(Span("  "), back)])
    named = f"plan {plan_id(plan)}" if plan.id else "this plan"  # a plan that can't be installed may have no id
    return [*lines, (), line(span(f"{named}, made at generation {plan.generation}", "muted"))]


def _section(title: str, body: list[Line]) -> list[Line]:
    return [(), (span(title, "strong"),), *body] if body else []


def _module(module: m.PlannedModule, plan: m.Plan) -> list[Line]:
    width = min(max(len(sanitize(one.name)) for one in plan.modules), 40)
    versions = " → ".join(vsn for vsn in (module.old_vsn, module.new_vsn) if vsn) or "no version"
    first = (
        Span("  "),
        span(sanitize(module.name).ljust(width) + "  ", "name"),
        span(module.action.ljust(7), _MODULE_ACTIONS[module.action]),
        span(versions),
        span(f"  {module.application}", "muted"),
        span(f"  imports {', '.join(module.needs)}" if module.needs else "", "muted"),
    )
    facts = [("registers in", one) for one in module.registers] + [("opens", one) for one in module.opens]
    return [first, *(line(f"    {verb} ", span(sanitize(what))) for verb, what in facts)]


def _module_values(plan: m.Plan) -> list[Line]:
    """Return a line for each global variable in the plan, except those that the new version makes anew without loss."""
    return [_module_value(value) for value in plan.module_values if value.fate != "made anew"]


def _module_value(value: m.PlannedModuleValue) -> Line:
    entries = "" if value.entries is None else f", {plural(value.entries, 'entry', 'entries')}"
    return line(
        span(f"  {sanitize(value.module)}.{sanitize(value.name)}  ", "name"),
        span(value.fate.ljust(9), _FATES[value.fate]),
        span(f"  {sanitize(value.kind)}{entries}, about {plural(value.size, 'byte', 'bytes')}", "muted"),
    )


def _files(plan: m.Plan) -> list[Line]:
    lines = [_file(one) for one in plan.files[:_MAX_LISTED]]
    if len(plan.files) > _MAX_LISTED:
        lines.append(line(span(f"  and {len(plan.files) - _MAX_LISTED} more", "muted")))
    return lines


def _file(one: m.PlannedFile) -> Line:
    change = span(one.change.ljust(7), _FILE_CHANGES[one.change])
    return (Span("  "), change, Span("  "), span(one.path, "name"), span(f"  {one.application}", "muted"))


def _processes(plan: m.Plan) -> list[Line]:
    if not plan.processes:
        return [line(span("  No processes are affected.", "muted"))]
    lines: list[Line] = []
    for action, (words, tone) in _ACTIONS.items():
        touched = [process for process in plan.processes if process.action == action]
        if not touched:
            continue
        number = span(plural(len(touched), "process", "processes"), tone)
        lines.append((Span("  "), number, span(f", {words}"), span(f"  {_kinds(touched)}", "muted")))
        lines += [_process(one) for one in touched[:_MAX_LISTED]]
        if len(touched) > _MAX_LISTED:
            lines.append(line(span(f"    and {len(touched) - _MAX_LISTED} more", "muted")))
    if _suspended_seconds(plan):
        lines.append(
            line(
                span("  The install will suspend processes for about "),
                span(_pause(plan), "strong"),
                span(", once their callbacks have ended."),
            )
        )
    bodies = _bodies_seconds(plan)
    if plan.stall is None and bodies >= _MIN_BODIES_SECONDS:
        stopped = span(duration(bodies), "warn")
        lines.append(line(span("  The node stops for about "), stopped, span(", while it executes the new modules.")))
    return lines


def _stall(plan: m.Plan) -> list[str]:
    return [] if plan.stall is None else [plan.stall]


def _kinds(processes: list[m.PlannedProcess]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in Counter(one.kind for one in processes).most_common())


def _process(one: m.PlannedProcess) -> Line:
    step = f"  by instruction {one.step}" if one.step is not None else ""
    return (Span("    "), span(one.name or one.module, "name"), span(f"  <{one.pid}>{step}", "muted"))


def _child(child: m.PlannedChild) -> Line:
    words, tone = _CHILD_ACTIONS[child.change]
    whose = child.supervisor_name or f"<{child.supervisor}>"
    effect = span(_effect(child))
    return (Span("  "), span(child.id, "name"), span(f" of {whose}  ", "muted"), span(words, tone), effect)


def _effect(child: m.PlannedChild) -> str:
    """Return when, or by which instruction, the change of a child takes effect."""
    if child.unread:
        return ", when the supervisor starts the next time"
    if child.change == "replaced":
        return ", when the child starts the next time"
    if child.change == "left out":
        return ""
    if child.step is None:
        return f", but no instruction {'starts' if child.change == 'added' else 'stops'} it"
    return f", {'started' if child.change == 'added' else 'stopped'} by instruction {child.step}"


def _pause(plan: m.Plan) -> str:
    return duration(_suspended_seconds(plan))


def _suspended_seconds(plan: m.Plan) -> float:
    return max(0.0, (plan.pause or 0.0) - _bodies_seconds(plan))


def _bodies_seconds(plan: m.Plan) -> float:
    return 0.0 if plan.rehearsal is None else plan.rehearsal.bodies or 0.0


def _instructions(plan: m.Plan) -> list[Line]:
    exception = ", except for irreversible calls" if plan.irreversible else ""
    meaning = span(f"  failure before: aborted · after: restored{exception}", "muted")
    bar: Line = (Span("  ━━━━━━ point of no return ━━━━━━", "bad"), meaning)
    lines: list[Line] = []
    for number, instruction in enumerate(plan.instructions):
        if number == plan.point_of_no_return:
            lines.append(bar)
        lines.append((span(f"{number + 1:4} ", "muted"), span(instruction)))
    if plan.point_of_no_return == len(plan.instructions) and plan.instructions:
        lines.append(bar)
    return lines


def _setting(name: str, before: str, after: str) -> Line:
    return (Span("  "), span(name, "name"), Span("  "), span(before, "bad"), Span(" → ", "muted"), span(after, "ok"))
