"""Ask for a release's tarball and upload it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Button, Input, ProgressBar

from hotdash.model.styled_text import line, say
from hotdash.model.units import size
from hotdash.widgets.bars import Facts
from node_runtime.protocol import messages as m
from node_runtime.protocol.exit_codes import Refused

Upload = Callable[[Path, Callable[[int, int], None]], Awaitable[m.ReleaseInfo]]


class TarballSuggester(Suggester):
    """Completes a path by what is there: folders, and files that may be releases."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return _completed(value)


def _completed(value: str) -> str | None:
    head, slash, start = value.rpartition("/")
    folder = Path(head + slash).expanduser() if head or slash else Path()
    try:
        names = sorted(
            entry.name + "/" if entry.is_dir() else entry.name
            for entry in folder.iterdir()
            if entry.name.startswith(start) and (entry.is_dir() or entry.name.endswith(".tar.gz"))
        )
    except OSError:
        return None
    return head + slash + names[0] if names and start else None


class Stage(ModalScreen[m.ReleaseInfo | None]):
    """Ends with the release that the node has verified and unpacked, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "cancel", "Cancel")]

    DEFAULT_CSS = """
    Stage {
        align: center middle;
        & > Vertical {
            width: 76; max-width: 96%; height: auto; max-height: 96%;
            background: $surface; border: round $primary; padding: 0 2;
            border-title-color: $foreground; border-title-style: bold;
        }
        & Facts { padding: 1 0; }
        & Input { background: $foreground 10%; }
        & ProgressBar { margin-top: 1; width: 100%; }
        & Bar { width: 1fr; }
        & #told { padding: 1 0 0 0; }
        & #twin { padding: 0; }
        & #buttons { height: 3; align-horizontal: right; }
        & #buttons Button { margin-left: 2; }
    }
    """

    def __init__(self, node: str, upload: Upload, twin: Callable[[str], str], path: str = "") -> None:
        super().__init__()
        self._node = node
        self._upload = upload
        self._twin = twin
        self._path = path
        self._release: m.ReleaseInfo | None = None

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Stage a release"
            yield Facts(id="about")
            yield Input(
                self._path, placeholder="path of the tarball that node-runtime build made",
                suggester=TarballSuggester(), compact=True,
            )  # fmt: skip
            yield ProgressBar(show_eta=False)
            yield Facts(id="told")
            yield Facts(id="twin")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", flat=True)
                yield Button("Upload", id="do", variant="primary", flat=True)

    def on_mount(self) -> None:
        about = "The node verifies and unpacks it. Nothing that runs is touched."
        self.query_one("#about", Facts).show([line("To ", say(self._node, "name"), say(f". {about}"))])
        self.query_one(ProgressBar).display = False
        self._changed()

    @on(Input.Changed)
    def _changed(self) -> None:
        path = self.query_one(Input).value.strip()
        self.query_one("#twin", Facts).show([line(say(f"$ {self._twin(path)}", "fact"))])
        self.query_one("#do", Button).disabled = not path

    @on(Input.Submitted)
    @on(Button.Pressed, "#do")
    def _begin(self) -> None:
        path = Path(self.query_one(Input).value.strip()).expanduser()
        if path.is_file():
            self._go(path)
        else:
            self.query_one("#told", Facts).show([line(say(f"There is no file {path}.", "bad"))])

    @work(exclusive=True, group="upload", exit_on_error=False)
    async def _go(self, path: Path) -> None:
        bar, told, do = self.query_one(ProgressBar), self.query_one("#told", Facts), self.query_one("#do", Button)
        do.disabled = True
        bar.display = True
        told.show([line(say("sending …", "fact"))])

        def progress(sent: int, whole: int) -> None:
            bar.update(total=whole, progress=sent)
            done = (
                "all sent; the node verifies and unpacks it …"
                if sent == whole
                else f"sending … {size(sent)} of {size(whole)}"
            )
            told.show([line(say(done, "fact"))])

        try:
            release = await self._upload(path, progress)
        except Refused as refusal:
            told.show([line(say(refusal.sentence, "bad"))])
            do.disabled = False
            return
        self.dismiss(release)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Close; what was sent so far the node throws away."""
        self.workers.cancel_node(self)
        self.dismiss(None)
