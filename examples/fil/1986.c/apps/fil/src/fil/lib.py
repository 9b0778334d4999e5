"""The kinds of answers that the site gives. None may be kept: the next one may come from another version."""

from __future__ import annotations

from node_runtime.web import HTMLResponse, JSONResponse, Response

FRESH = {"cache-control": "no-store"}


def html(page: str) -> Response:
    """A page."""
    return HTMLResponse(page, headers=FRESH)


def json(value: object) -> Response:
    """A value for scripts."""
    return JSONResponse(value, headers=FRESH)
