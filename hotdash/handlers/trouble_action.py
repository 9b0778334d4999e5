"""The action that goes to the next trouble of the node, such as a supervisor that restarts children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotdash.model.alerts.troubles import troubles
from hotdash.views.modules import Modules
from hotdash.views.overview import Overview
from hotdash.views.processes import Processes
from hotdash.views.releases import Releases

if TYPE_CHECKING:
    from hotdash.app import HotdashApp


class TroubleAction:
    """Goes to the troubles of the node one after the other, the worst first."""

    def __init__(self, app: HotdashApp) -> None:
        self._app = app
        self._gone_to: tuple[object, ...] = ()

    async def __call__(self) -> None:
        """Open the view of the next trouble, and select the item that the trouble names."""
        app = self._app
        found = troubles(app.node, app.clock())
        if not found:
            app.show_toast(f"Nothing is wrong with {app.node.name}, as far as the dashboard knows.")
            return
        known = [one.identity for one in found]
        at = (known.index(self._gone_to) + 1) % len(found) if self._gone_to in known else 0
        self._gone_to, trouble = known[at], found[at]
        if trouble.process is not None:
            view = await app.main_screen.made(trouble.view)
            assert isinstance(view, Overview | Processes)
            if isinstance(view, Overview) and trouble.child:
                view.select_child(trouble.process, trouble.child)
            else:
                view.select(trouble.process)
        await app.open_view(trouble.view)
        app.link.refresh()
        if trouble.module is not None:
            app.main_screen.query_one(Modules).select(trouble.module)
        if trouble.vsn is not None:
            app.main_screen.query_one(Releases).select(trouble.vsn)
