"""Escaping on both sides: no character acts on a terminal, hides something, or changes the direction of writing."""

from __future__ import annotations

import json
import unicodedata

import pytest

from node_runtime.protocol.escape import escape, escape_json

HARMFUL = [
    *map(chr, (*range(0x20), *range(0x7F, 0xA0))),
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\u2029\u200b\u200c\u200d\u2060\ufeff",
    "\U000e0041",
]


@pytest.mark.parametrize("character", [*HARMFUL, "\ud800"])
def test_a_harmful_character_is_written_as_in_a_string_literal(character: str) -> None:
    escaped = escape(f"a{character}b")
    assert escaped.isprintable()
    assert escaped.startswith("a\\")


@pytest.mark.parametrize("character", [one for one in HARMFUL if one != "\n"])
def test_a_harmful_character_is_a_u_escape_in_json(character: str) -> None:
    text = json.dumps({"a": character}, ensure_ascii=False)
    assert escape_json(text).isprintable()
    assert json.loads(escape_json(text)) == {"a": character}


def test_letters_of_all_languages_stay_as_they_are() -> None:
    text = "grün 緑 зелёный ירוק 🟢"
    assert escape(text) == escape_json(text) == text
    assert unicodedata.bidirectional(text[-4]) == "R"
