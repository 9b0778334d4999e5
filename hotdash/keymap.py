"""Remapped keys: `$XDG_CONFIG_HOME/hotdash/keys.toml`, one line per action, such as `upgrade = "ctrl+u"`.

A key has one meaning. If the file gives an action a key that moves in lists, the movement keeps only its other keys. If
the file gives an action the key of another action, the file is refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from textual.keys import KEY_NAME_REPLACEMENTS, KEY_TO_UNICODE_NAME, Keys

from node_runtime.protocol.clip import MAX_SHOWN_NAME, clip
from node_runtime.protocol.exit_codes import ExitCode, Refused

from .actions import ACTIONS, BY_ID, key_name
from .config.locations import config_directory
from .config.toml_file import read_toml
from .moves import MOVE_BY_ID, MOVES

_RESERVED = frozenset({"enter", "tab", "shift+tab", "up", "down", "left", "right", "ctrl+pageup", "ctrl+pagedown"})
"""Keys that dialogs and fields need, so that no action may have them."""
_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super", "hyper", "meta"})
_KEY_NAMES = frozenset(key.value for key in Keys) | KEY_TO_UNICODE_NAME.keys() | set(KEY_NAME_REPLACEMENTS.values())


def keymap_path() -> Path:
    """Return the path of the keymap file, which need not exist."""
    return config_directory() / "keys.toml"


def read_keymap(path: Path) -> dict[str, str]:
    """Return the keys by id of action or movement, or {} without a file.

    The result has an entry for each id whose keys differ from the default, with Textual's names of the keys, separated
    by commas. Raises Refused (USAGE) for an unknown id, an unknown key, and a key with two meanings.
    """
    return make_keymap(read_toml(path, "keys"), str(path))


def make_keymap(table: dict[str, object], where: str) -> dict[str, str]:
    """Return the keymap that `table` describes; `where` names its origin in messages. For errors see `read_keymap`."""
    chosen = {name: _keys(name, value, where) for name, value in table.items()}
    owners: dict[str, str] = {}
    for action in ACTIONS:
        for key in chosen.get(action.id, _split(action.keys)):
            other = owners.setdefault(key, action.id)
            if other != action.id:
                raise _collision(where, key, action.id, other, chosen)
    keymap = {name: ",".join(keys) for name, keys in chosen.items() if name in BY_ID}
    return keymap | dict(_remaining_moves(chosen, owners, where))


def _remaining_moves(chosen: dict[str, list[str]], owners: dict[str, str], where: str) -> Iterator[tuple[str, str]]:
    """Yield (id, keys) of each movement whose keys are not the default keys."""
    for move in MOVES:
        default = _split(move.keys)
        keys = chosen.get(move.id, default)
        left = [key for key in keys if key not in owners]
        for key in left:
            other = owners.setdefault(key, move.id)
            if other != move.id:
                raise _collision(where, key, move.id, other, chosen)
        if not left:
            taken = keys[0]
            raise Refused(
                f"{where} gives {key_name(taken)} to {owners[taken]!r}, but it is the only key of {move.id!r}; "
                f"choose another key for one of them.",
                ExitCode.USAGE,
            )
        if left != default:
            yield move.id, ",".join(left)


def _collision(where: str, key: str, one: str, other: str, chosen: dict[str, list[str]]) -> Refused:
    mapped, kept = (one, other) if one in chosen else (other, one)
    owner = "gives the same key to" if kept in chosen else "but this key belongs to"
    return Refused(
        f"{where} gives {key_name(key)} to {mapped!r}, {owner} {kept!r}; choose another key for one of them.",
        ExitCode.USAGE,
    )


def _keys(name: str, value: object, where: str) -> list[str]:
    """Return the keys of one line of the file, by Textual's names."""
    if name not in BY_ID and name not in {move.id for move in MOVES}:
        near = get_close_matches(name, BY_ID, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the ids are {', '.join(BY_ID)}."
        raise Refused(f"{where} names {clip(name, MAX_SHOWN_NAME)!r}, which is not an action; {hint}", ExitCode.USAGE)
    if not isinstance(value, str) or not value.strip():
        raise Refused(f'{where} has no key for {name!r}; write for example {name} = "f5".', ExitCode.USAGE)
    keys = [_key(key.strip(), name, where) for key in (value.split(",") if value.strip() != "," else [value])]
    return list(dict.fromkeys(keys))


def _key(key: str, name: str, where: str) -> str:
    """Return Textual's name of a key: `slash` for `/`, `ctrl+u` for `^u` and `Ctrl+U`."""
    *modifiers, base = ["ctrl", key[1:]] if key[:1] == "^" and len(key) > 1 else _parts(key)
    modifiers = [modifier.strip().lower() for modifier in modifiers]
    if len(base) == 1:
        if "shift" in modifiers and base.isalpha():
            modifiers.remove("shift")
            base = base.upper()
        base = base.lower() if "ctrl" in modifiers else base
        base = base if base.isalnum() else _name_of_character(base)
    if not base or not _MODIFIERS.issuperset(modifiers) or not _exists(base):
        raise Refused(
            f"{where} has {clip(key, MAX_SHOWN_NAME)!r} as the key for {name!r}, which is not the name of a key; write "
            f'for example "u", "ctrl+u", "f5" or "question_mark".',
            ExitCode.USAGE,
        )
    textual_name = "+".join([*modifiers, base])
    if textual_name in _RESERVED or (textual_name == "escape" and name != "back"):
        raise Refused(
            f"{where} gives {key_name(textual_name)} to {name!r}, but dialogs and lists need this key; "
            f"choose another key.",
            ExitCode.USAGE,
        )
    return textual_name


def _parts(key: str) -> list[str]:
    """Split `ctrl+u` at the plus signs; a single "+" and the last one of "ctrl++" are keys."""
    head, _, last = key.rpartition("+")
    if key == "+" or key.endswith("++"):
        head, last = key[:-2], "+"
    return [*(head.split("+") if head else []), last]


def _exists(key: str) -> bool:
    """Return whether `key`, without modifiers, names a key: a letter or a digit, or the name of another key."""
    if len(key) == 1 or key in _KEY_NAMES:
        return True
    try:
        return bool(unicodedata.lookup(key.replace("_", " ")))
    except KeyError:
        return False


def _name_of_character(character: str) -> str:
    if not character.isprintable():
        return ""
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")]


def move_key_of(move_id: str, keymap: dict[str, str]) -> str:
    """Return the main key of a movement, as shown in a sentence. `keymap` contains the remapped keys."""
    return key_name(keymap.get(move_id, MOVE_BY_ID[move_id].keys).split(",")[0])
