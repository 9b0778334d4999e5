"""The code layer: keeps at most two loaded versions of each module, the current and the old one.

A module has one module object, whose attributes are those of the current version. An exported name is imported only
when it is first used. A process that unpacks and compiles a release uses only the verified imports. With all other
exports it would start half as fast.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .public_names import *  # noqa: F403  # for type checkers, a star makes all of these public
else:
    from node_runtime.lazy_names import names_at_first_use

    __getattr__, __dir__ = names_at_first_use(__name__)
