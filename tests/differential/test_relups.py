"""Random applications and appups, translated by OTP's systools and by us: the same relup, up and down.

Runs where `escript` is installed. The order of modules inside a component is compared only as far as OTP defines it:
it must be a topological one (test_systools_rc.py checks our order). Our one intended difference, the default purge, is
excluded.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node_runtime.protocol.exit_codes import Refused
from node_runtime.releases.files.appup_instructions import parse_instruction
from node_runtime.releases.files.release_model import AppupEntry, AppView, ReleaseView
from node_runtime.releases.relup.relup_json import instruction_json
from node_runtime.releases.relup.translation import translate
from tests.support.otp import CASES, needs_erlang, running_otp

TYPES = ("permanent", "transient", "temporary", "load", "none")
PURGES = ("soft_purge", "brutal_purge")


@dataclass
class App:
    """An application in both releases, in our form and in OTP's. None means: not in that release."""

    name: str
    old: list[str] | None
    new: list[str] | None
    start: str = "permanent"
    changed: set[str] = field(default_factory=set)
    up: list[dict[str, Any]] = field(default_factory=list)
    down: list[dict[str, Any]] = field(default_factory=list)

    @property
    def stays(self) -> bool:
        return self.old is not None and self.new is not None


def apps_of(seed: int) -> list[App]:
    """A few applications; some are added, some removed; the others have appups that mention the changes."""
    chance = random.Random(seed)
    apps = []
    for number in range(chance.randint(1, 4)):
        modules = [f"m{number}{letter}" for letter in "abcde"[: chance.randint(1, 5)]]
        kind = chance.choice(["stays", "stays", "stays", "comes", "goes"])
        old, new = list(modules), list(modules)
        if kind == "stays":
            for module in modules:
                if (lot := chance.random()) < 0.2:
                    (old if lot < 0.1 else new).remove(module)
        start = chance.choice(TYPES)
        apps.append(App(f"app{number}", None if kind == "comes" else old, None if kind == "goes" else new, start))
    staying = [app for app in apps if app.stays]
    restarted = {app.name for app in staying if chance.random() < 0.15}
    known = [module for app in staying if app.name not in restarted for module in {*(app.old or ()), *(app.new or ())}]
    for app in staying:
        for way in ("up", "down"):
            script = app.up if way == "up" else app.down
            if app.name in restarted:
                script.append({"restart_application": app.name})
                app.changed.update(set(app.old or ()) & set(app.new or ()))
            else:
                script += written(chance, app, way, sorted(known))
    return apps


def written(chance: random.Random, app: App, way: str, known: list[str]) -> list[dict[str, Any]]:
    left, target = (app.old, app.new) if way == "up" else (app.new, app.old)
    assert left is not None
    assert target is not None
    script: list[dict[str, Any]] = []
    for module in chance.sample(sorted({*left, *target}), len({*left, *target})):
        others = [other for other in known if other != module]
        deps = chance.sample(others, min(len(others), chance.choice([0, 0, 0, 1, 1, 2])))
        purges = {"pre_purge": chance.choice(PURGES), "post_purge": chance.choice(PURGES)}
        if module not in target:
            script.append({"delete_module": module, "deps": deps})
        elif module not in left:
            script.append({"add_module": module, "deps": deps})
        elif chance.random() < 0.4:
            script.append({"load_module": module, "deps": deps, **purges})
        else:
            step: dict[str, Any] = {"update": module, "deps": deps, **purges}
            step["type"] = chance.choice(["dynamic", "static"])
            if timeout := chance.choice([None, None, 3, "infinity"]):
                step["timeout"] = timeout
            if chance.random() < 0.6:
                step |= {"change": "advanced", "extra": chance.randint(0, 9)}
            script.append(step)
        app.changed.add(module)
        if chance.random() < 0.3:
            script.append({"apply": "m:f", "args": [chance.randint(0, 99)]})
    if chance.random() < 0.1:
        script.append({chance.choice(["restart_emulator", "restart_new_emulator"]): True})
    if chance.random() < 0.2:
        script += low_level(chance, app, way, sorted(target))
    if chance.random() < 0.1:
        script.append({"sync_nodes": "here", "nodes": ["one", "two"]})
    if chance.random() < 0.2:
        bar: list[dict[str, Any]] = [{"apply": "m:prepare", "args": [1]}, {"point_of_no_return": True}]
        script[:0] = bar
    return script


def low_level(chance: random.Random, app: App, way: str, modules: list[str]) -> list[dict[str, Any]]:
    """Low-level instructions as an author would write them, with some mistakes."""
    vsn = {"up": "2", "down": "1"}[way] if chance.random() < 0.9 else "9"
    read = {"load_object_code": app.name, "vsn": vsn, "modules": chance.sample(modules, min(2, len(modules)))}
    steps: list[dict[str, Any]] = [read] if chance.random() < 0.9 else []
    named = chance.choice(modules or ["m"])
    if chance.random() < 0.5:
        steps.append({"suspend": [named] if chance.random() < 0.7 else [[named, 7]]})
    if chance.random() < 0.5:
        steps.append({"resume": [named]})
    if chance.random() < 0.3:
        steps += [{"stop": [named]}, {"start": [named]}][: chance.choice([1, 2, 2, 2])]
    if chance.random() < 0.2:
        steps.append({"purge": [named]})
    chance.shuffle(steps)
    return steps


# ------------------------------------------------------------------ for us


def ours(apps: list[App]) -> Any:
    def view(app: App, vsn: str, modules: list[str]) -> AppView:
        contents = {module: vsn if module in app.changed else "same" for module in modules}
        entries = {
            way: (AppupEntry("1", tuple(map(parse_instruction, steps))),)
            for way, steps in (("up", app.up), ("down", app.down))
        }
        number = vsn if app.stays else "1"
        return AppView(app.name, number, contents, start=app.start, **entries)  # type: ignore[arg-type]

    def release(vsn: str, *, is_left: bool) -> ReleaseView:
        """A release. Those that go are stopped in their order by OTP, and in the opposite order by us."""
        listed = [app for app in apps if app.stays] + [app for app in apps if not app.stays][:: -1 if is_left else 1]
        lists = ((app, app.old if vsn == "1" else app.new) for app in listed)
        return ReleaseView(f"R{vsn}", tuple(view(app, vsn, modules) for app, modules in lists if modules is not None))

    try:
        up = translate(release("1", is_left=True), release("2", is_left=False), "up")
        down = translate(release("1", is_left=False), release("2", is_left=True), "down")
    except Refused as refused:
        return refused.sentence
    return [[_plain(instruction_json(step)) for step in way] for way in (up, down)]


def _plain(step: list[Any]) -> list[Any]:
    """Our instruction with OTP's spelling: functions in two words, milliseconds."""
    match step:
        case ["apply", function, args, _]:
            return ["apply", *function.removeprefix("node_runtime.").split(":"), args]
        case ["suspend", entries]:
            return ["suspend", [[one[0], _timeout(one[1])] if isinstance(one, list) else one for one in entries]]
    return step


def _timeout(seconds: float | str) -> float | str:
    return seconds * 1000 if not isinstance(seconds, str) else seconds


# ------------------------------------------------------------------ for OTP


def write_for_otp(folder: Path, apps: list[App], versions: dict[str, str]) -> None:
    for release, vsn in (("old", "1"), ("new", "2")):
        listed = [f'{{{name},"{number}"}}' for name, number in versions.items() if name != "erts"]
        for app in apps:
            modules = app.old if release == "old" else app.new
            if modules is None:
                continue
            number = vsn if app.stays else "1"
            ebin = folder / "lib" / f"{app.name}-{number}" / "ebin"
            ebin.mkdir(parents=True)
            listed.append(f'{{{app.name},"{number}",{app.start}}}')
            (ebin / f"{app.name}.app").write_text(
                f'{{application,{app.name},[{{description,""}},{{vsn,"{number}"}},{{modules,[{",".join(modules)}]}},'
                f"{{registered,[]}},{{applications,[kernel,stdlib]}}]}}.\n"
            )
            if release == "new" and app.stays:
                up, down = (",".join(map(_erlang, steps)) for steps in (app.up, app.down))
                (ebin / f"{app.name}.appup").write_text(f'{{"2",[{{"1",[{up}]}}],[{{"1",[{down}]}}]}}.\n')
        erts = versions["erts"]
        text = f'{{release,{{"r","{vsn}"}},{{erts,"{erts}"}},[{",".join(listed)}]}}.\n'
        (folder / f"{release}.rel").write_text(text)


def _erlang(step: dict[str, Any]) -> str:
    name = next(iter(step))
    value, deps = step[name], f"[{','.join(step.get('deps', ()))}]"
    purges = f"{step.get('pre_purge')},{step.get('post_purge')}"
    written = f"{{{name},{value}}}"
    match name:
        case "restart_emulator" | "restart_new_emulator" | "point_of_no_return":
            written = name
        case "load_object_code":
            written = f'{{load_object_code,{{{value},"{step["vsn"]}",[{",".join(step["modules"])}]}}}}'
        case "suspend" | "resume" | "stop" | "start" | "purge":
            entries = (f"{{{one[0]},{_timeout(one[1])}}}" if isinstance(one, list) else one for one in value)
            written = f"{{{name},[{','.join(entries)}]}}"
        case "apply":
            written = f"{{apply,{{{value.replace(':', ',')},{step['args']}}}}}"
        case "sync_nodes":
            written = f"{{sync_nodes,{value},[{','.join(step['nodes'])}]}}"
        case "add_module" | "delete_module":
            written = f"{{{name},{value},{deps}}}"
        case "load_module":
            written = f"{{load_module,{value},{purges},{deps}}}"
        case "update":
            change = f"{{advanced,{step['extra']}}}" if step.get("change") else "soft"
            timeout = _timeout(step.get("timeout", "default"))
            written = f"{{update,{value},{step['type']},{timeout},{change},{purges},{deps}}}"
    return written


# ------------------------------------------------------------------ the same


def comparable(script: list[list[Any]], apps: list[App]) -> list[Any]:
    """The script without undefined orders and intended differences: see this module's docstring."""
    said = {
        step[name]
        for app in apps
        for step in (*app.up, *app.down)
        for name in ("update", "load_module")
        if name in step
    }
    same: list[Any] = []
    for step in script:
        match step:
            case ["load_object_code", app, vsn, modules]:
                same.append(["load_object_code", app, vsn, sorted(modules)])
            case ["suspend" | "resume" | "code_change", *way, modules]:
                same.append([step[0], *way, sorted(modules, key=str)])
            case ["load" | "remove" as name, module, pre, post]:
                entry = [name, module, *([pre, post] if module in said else [])]
                if same and same[-1][0] == "loads":
                    same[-1][1].append(entry)
                else:
                    same.append(["loads", [entry]])
            case ["purge", [_]]:
                pass  # of a deleted module: it follows the remove directly, among the loads of its component
            case _:
                same.append(step)
    codes = sorted(step for step in same if step[0] == "load_object_code")
    rest = [
        ["loads", sorted(step[1])] if step[0] == "loads" else step for step in same if step[0] != "load_object_code"
    ]
    return [codes, rest]


@needs_erlang
def test_random_appups_are_translated_as_systools_does(tmp_path: Path) -> None:
    versions, refused = installed(), 0
    with running_otp(Path(__file__).with_name("relups.escript")) as otp:
        for seed in range(CASES):
            apps, folder = apps_of(seed), tmp_path / str(seed)
            folder.mkdir()
            write_for_otp(folder, apps, versions)
            mine, theirs = ours(apps), otp.ask(f"'{folder}'")
            shutil.rmtree(folder)
            assert isinstance(mine, str) == isinstance(theirs, str), (seed, mine, theirs)
            if isinstance(mine, str):
                refused += 1
                continue
            for my_way, their_way, way in zip(mine, theirs, ("up", "down"), strict=True):
                assert comparable(my_way, apps) == comparable(their_way, apps), (seed, way, my_way, their_way)
    assert refused < CASES / 2, "the cases are hardly any that can be translated"


def installed() -> dict[str, str]:
    """The versions of the applications that every OTP release contains."""
    program = (
        'io:format("~s", [erlang:system_info(version)]), application:load(sasl),'
        '[io:format(" ~s", [element(2, application:get_key(App, vsn))]) || App <- [kernel, stdlib, sasl]], halt().'
    )
    done = subprocess.run(["erl", "-noshell", "-eval", program], capture_output=True, text=True, check=True, timeout=60)
    return dict(zip(("erts", "kernel", "stdlib", "sasl"), done.stdout.split(), strict=True))
