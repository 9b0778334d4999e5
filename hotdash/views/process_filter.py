"""The filter of a view of processes while it is typed."""

from __future__ import annotations

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.process_filter import parse_filter


class FilterText:
    """The last valid filter in `text`; `mistake` is a sentence if what is typed now is not a filter."""

    def __init__(self) -> None:
        self.text = ""
        self.mistake = ""

    def take(self, typed: str) -> None:
        """Use what is typed, if it is a filter; otherwise keep the filter before."""
        try:
            parse_filter(typed)
        except Refused as refused:
            self.mistake = refused.sentence
        else:
            self.text, self.mistake = typed, ""
