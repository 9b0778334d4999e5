"""Objects of replaced versions that loggers, `sqlite3` and `copyreg` still use are found, and named."""

from __future__ import annotations

import copyreg
import logging
import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.support.written_modules import imported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

LOGGED = """
import logging
VSN = {n}
class Redact(logging.Filter):
    def filter(self, record):
        return VSN
class Form(logging.Formatter):
    vsn = VSN
class Lines(logging.NullHandler):
    vsn = VSN
def quiet(record):
    return VSN
"""
ADD = "after the upgrade, remove it and add the new one, or let the body of a add it, so that a load replaces it."


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("hotdash.tests.hooks")
    yield logger
    logger.handlers.clear()
    logger.filters.clear()


def warnings(app: App, **modules: str) -> set[str]:
    batch = app.prepare(**modules)
    found = set(batch.warnings())
    batch.discard()
    return found


def test_what_functions_have_added_to_loggers_is_named(app: App, logger: logging.Logger) -> None:
    app.boot(a=LOGGED.format(n=1))
    a = imported("a")
    handler = logging.NullHandler()
    handler.setFormatter(a.Form())
    handler.addFilter(a.quiet)
    logger.addFilter(a.Redact())
    logger.addHandler(handler)
    logger.addHandler(a.Lines())
    stays = "the logger hotdash.tests.hooks is still {} of the replaced version of a: " + ADD
    assert warnings(app, a=LOGGED.format(n=2)) == {
        "A filter of " + stays.format("an object"),
        "A handler of " + stays.format("an object"),
        "The formatter of a handler of " + stays.format("an object"),
        "A filter of a handler of " + stays.format("a function"),
    }


def test_what_a_body_adds_to_loggers_is_replaced_and_not_named(app: App, logger: logging.Logger) -> None:
    body = LOGGED + (
        "handler = logging.NullHandler()\nhandler.setFormatter(Form())\nhandler.addFilter(Redact())\n"
        "logging.getLogger('hotdash.tests.hooks').addHandler(handler)\n"
    )
    app.boot(a=body.format(n=1))
    imported("a")
    assert warnings(app, a=body.format(n=2)) == set()


def test_functions_that_another_module_has_registered_for_an_old_class_are_named(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "adapters", dict(sqlite3.adapters))
    monkeypatch.setattr(copyreg, "dispatch_table", dict(copyreg.dispatch_table))
    registering = (
        "import a, copyreg, sqlite3\n"
        "sqlite3.adapters[a.Point, sqlite3.PrepareProtocol] = lambda point: 1\n"
        "copyreg.pickle(a.Point, lambda point: (a.Point, ()))\n"
    )
    body = "class Point:\n    vsn = {n}\n"
    app.boot(a=body.format(n=1), b=registering)
    imported("b")
    rest = "for Point is registered for the old class a:Point, but not for the new class: let the appup load b too."
    assert warnings(app, a=body.format(n=2)) == {f"The function of copyreg {rest}", f"The adapter of sqlite3 {rest}"}
    assert warnings(app, a=body.format(n=2), b=registering + "\n") == set()
