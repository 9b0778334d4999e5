"""The keys that move in lists, trees and texts, with the ids by which a keymap file refers to them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """One movement. `keys` has the Textual names of its keys, separated by commas."""

    id: str
    keys: str
    help: str


MOVES: tuple[Move, ...] = (
    Move("move_up", "up,k", "Moves one row or line up."),
    Move("move_down", "down,j", "Moves one row or line down."),
    Move("page_up", "pageup,ctrl+u", "Moves one screen up."),
    Move("page_down", "pagedown,ctrl+d", "Moves one screen down."),
    Move("first", "g,home", "Goes to the first row or line."),
    Move("last", "G,end", "Goes to the last row or line."),
    Move("toggle_row", "space", "Opens or closes the row of a tree; marks a process; shows tracebacks in the log."),
    Move("close_row", "left,h,minus", "Closes the row of a tree."),
    Move("open_row", "right,l,plus", "Opens the row of a tree."),
    Move("search", "ctrl+f", "Searches events and logs."),
    Move("next_match", "n", "Goes to the next match of a search."),
    Move("previous_match", "N", "Goes to the previous match of a search."),
    Move("open_all", "asterisk", "Opens all rows of a tree."),
    Move("next_order", "o", "Sorts the processes by the next column."),
    Move("previous_order", "O", "Sorts the processes by the previous column."),
    Move("reverse_order", "i", "Reverses the order of the processes."),
    Move("follow", "f", "Lets the list scroll with the selected process, or keeps the list where it is."),
    Move("unmark_all", "u", "Unmarks all processes."),
)

MOVE_BY_ID = {move.id: move for move in MOVES}


def move_keys(move_id: str) -> str:
    """Return the default keys of a movement, for a Textual binding with the same id."""
    return MOVE_BY_ID[move_id].keys
