"""The dialog that asks for a release's tarball and uploads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, ProgressBar

from hotdash.model.styled_text import line, span
from hotdash.model.units import size
from hotdash.widgets.bars import StaticLines
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused

from .dialog import Dialog
from .tarball_list import TarballSuggester, TarballTable

UploadFunction = Callable[[Path, Callable[[int, int], None]], Awaitable[m.ReleaseInfo]]


class StageDialog(Dialog[m.ReleaseInfo | None]):
    """The upload dialog; its result is the verified and unpacked release, or None when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "cancel", "Cancel"), ("down", "choose", "Go to the list")]

    DEFAULT_CSS = """
    StageDialog {
        & Input { background: $foreground 10%; }
        & ProgressBar { margin-top: 1; width: 100%; }
        & Bar { width: 1fr; }
        & #status { padding: 1 0 0 0; }
        & #command-line { padding: 0; }
        & #buttons { height: 3; align-horizontal: right; }
        & #buttons Button { margin-left: 2; }
    }
    """

    def __init__(self, node: str, upload: UploadFunction, command_line: Callable[[str], str], path: str = "") -> None:
        super().__init__()
        self._node = node
        self._upload = upload
        self._command_line = command_line
        self._path = path

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Stage a release"
            yield StaticLines(id="about")
            yield Input(
                self._path, placeholder="path of a tarball from node-runtime build",
                suggester=TarballSuggester(), compact=True,
            )  # fmt: skip
            yield TarballTable()
            yield ProgressBar(show_eta=False)
            yield StaticLines(id="status")
            yield StaticLines(id="command-line")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", flat=True)
                yield Button("Upload", id="do", variant="primary", flat=True)

    def on_mount(self) -> None:
        about = ", which verifies and unpacks it. The running code is not changed."
        self.query_one("#about", StaticLines).show([line("Upload a tarball to ", span(self._node, "name"), about)])
        self.query_one(ProgressBar).display = False
        self._changed()

    @on(Input.Changed)
    def _changed(self) -> None:
        path = self.query_one(Input).value.strip()
        self.query_one("#command-line", StaticLines).show([line(span(f"$ {self._command_line(path)}", "muted"))])
        self.query_one("#do", Button).disabled = not path
        self.query_one("#status", StaticLines).show([])
        self.query_one(TarballTable).show_found(path)

    @on(TarballTable.RowChosen)
    def _choose(self, chosen: TarballTable.RowChosen) -> None:
        """Put the chosen path into the field, where enter uploads a tarball or lists a folder."""
        chosen.stop()
        field = self.query_one(Input)
        field.value = str(chosen.key)
        field.cursor_position = len(field.value)
        field.focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#do")
    def _start(self) -> None:
        path = Path(self.query_one(Input).value.strip()).expanduser()
        if path.is_file():
            self._run_upload(path)
            return
        sentence = f"{path} is a folder; choose a tarball in it." if path.is_dir() else f"There is no file {path}."
        self.query_one("#status", StaticLines).show([line(span(sentence, "bad"))])

    def action_choose(self) -> None:
        """Go from the field to the list, as in a list of suggestions."""
        if isinstance(self.focused, Input):
            self.query_one(TarballTable).choose_first()

    @work(exclusive=True, group="upload", exit_on_error=False)
    async def _run_upload(self, path: Path) -> None:
        bar, status, do = (
            self.query_one(ProgressBar),
            self.query_one("#status", StaticLines),
            self.query_one("#do", Button),
        )
        do.disabled = True
        bar.display = True
        status.show([line(span("sending …", "muted"))])

        def progress(sent: int, whole: int) -> None:
            bar.update(total=whole, progress=sent)
            done = (
                "sent; the node verifies and unpacks the tarball …"
                if sent == whole
                else f"sending … {size(sent)} of {size(whole)}"
            )
            status.show([line(span(done, "muted"))])

        try:
            release = await self._upload(path, progress)
        except Refused as refusal:
            status.show([line(span(refusal.sentence, "bad"))])
            do.disabled = False
            return
        self.dismiss(release)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Close; the node discards an incomplete upload."""
        self.workers.cancel_node(self)
        self.dismiss(None)
