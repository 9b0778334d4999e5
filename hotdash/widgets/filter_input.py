"""The filter field of a screen."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class FilterInput(Input):
    """A filter field; escape discards the filter, enter keeps it. The screen has the action `clear_filter`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "screen.clear_filter", show=False)]
