"""Tests of services: a runtime in the test's own process, real nodes, and states that go through upgrades.

pytest finds the fixtures `runtime`, `upgraded` and `node` by itself; see `plugin.py`. The exported names are imported
when one of them is first used, because pytest imports the plugin wherever hotdash is installed.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .public_names import *  # noqa: F403  # for type checkers, a star makes all of these public
else:
    from node_runtime.lazy_names import names_at_first_use

    __getattr__, __dir__ = names_at_first_use(__name__)
