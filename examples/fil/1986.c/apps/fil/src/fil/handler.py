"""What the two paths of the site answer."""

from __future__ import annotations

from fil import color_fsm, lib, root_dtl
from node_runtime.web import Request, Response


def root(_request: Request) -> Response:
    """The page."""
    return lib.html(root_dtl.render())


async def which_color(_request: Request) -> Response:
    """The colour that the page paints its header in."""
    return lib.json({"color": await color_fsm.which()})
