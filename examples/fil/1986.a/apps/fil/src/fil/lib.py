"""The site's kinds of responses. None may be cached: the next one may come from another version."""

from __future__ import annotations

from node_runtime.web import HTMLResponse, JSONResponse, Response

FRESH = {"cache-control": "no-store"}


def html(page: str) -> Response:
    """Return a page."""
    return HTMLResponse(page, headers=FRESH)


def json(value: object) -> Response:
    """Return a value as JSON."""
    return JSONResponse(value, headers=FRESH)
