"""The screen of a module: who runs its old version, and what has changed in its source."""

from __future__ import annotations

import msgspec

from hotdash.model.releases.source_lines import difference_lines, source_lines
from hotdash.model.styled_text import text_of
from node_runtime.protocol import messages as m
from tests.support.dashboard.dashboard_pilot import Open
from tests.support.dashboard.fil_world import FSM
from tests.support.dashboard.scripted_peer import Peer

OLD = 'color = "lime"\n\ndef turn():\n    return 1  # one\n'
NEW = 'color = "red"\n\ndef turn():\n    return 1  # one\n'


def test_a_source_has_tones_and_numbers_and_any_text_is_shown() -> None:
    lines = source_lines(NEW)
    assert [text_of(one) for one in lines] == [
        '    1 color = "red"', "    2 ", "    3 def turn():", "    4     return 1  # one",
    ]  # fmt: skip
    assert ('"red"', "ok") in lines[0]
    assert ("def", "name") in lines[2]
    assert ("# one", "muted") in lines[3]
    assert text_of(source_lines("'''open \x1b[31m")[0]) == "    1 '''open \\x1b[31m"


def test_a_difference_shows_both_sides() -> None:
    texts = [text_of(one) for one in difference_lines(OLD, NEW)]
    assert '-color = "lime"' in texts
    assert '+color = "red"' in texts
    assert text_of(difference_lines(OLD, OLD)[0]) == "The two sources are equal."


async def test_enter_opens_a_module_with_stacks_difference_source_and_drift(opened: Open, peer: Peer) -> None:
    name = "fil.color_fsm"
    peer.world.modules[1] = msgspec.structs.replace(peer.world.modules[1], old_vsn="1985.z", old_pids=(FSM,))
    drift = "The loaded code differs from its file lib/fil/color_fsm.py."
    peer.world.sources[name] = m.ModuleSource(module=name, current=NEW, old=OLD, drift=drift)
    async with opened() as user:
        await user.press("4", "down", "enter")
        await user.sees(
            "fil_color_fsm <12> runs the old version", drift, "difference: old → current", '-color = "lime"',
            '+color = "red"', "source of the current version", "3 def turn():",
        )  # fmt: skip
        await user.press("escape")
        await user.sees("1 process runs old code of 1 module.")


async def test_a_viewer_learns_that_sources_are_for_operators(opened: Open, peer: Peer) -> None:
    peer.world.role = "viewer"
    async with opened() as user:
        await user.press("4", "enter")
        await user.is_notified("Only operators can read the source of a module.")
    assert not peer.asked("source")
