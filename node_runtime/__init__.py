"""An OTP-like runtime for Python: processes, behaviours, releases and upgrades of a node that keeps running.

A public name is imported only when it is first used. So the gateway's process, which needs only the wire types, imports
no code of the runtime, and starts in half the time.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .public_names import *  # noqa: F403  # for type checkers, a star makes all of these public
else:
    from .lazy_names import names_at_first_use

    __getattr__, __dir__ = names_at_first_use(__name__)
