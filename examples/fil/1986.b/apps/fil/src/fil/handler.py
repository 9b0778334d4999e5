"""The handlers of the site's two paths."""

from __future__ import annotations

from fil import color_fsm, lib, root_dtl
from node_runtime.web import Request, Response


def root(_request: Request) -> Response:
    """Return the page."""
    return lib.html(root_dtl.render())


async def which_color(_request: Request) -> Response:
    """Return the colour of the page's header."""
    return lib.json({"color": await color_fsm.which()})
