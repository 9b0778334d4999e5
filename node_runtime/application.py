"""The public functions on applications, such as `application.get_env("fil", "http_port", 8004)`.

They follow OTP's module `application`.
"""

from .behaviours.application import Application, start, stop
from .behaviours.application_controller import (
    AppSpec,
    Running,
    StartType,
    get_all_env,
    get_env,
    load,
    loaded_applications,
    priv_dir,
    set_env,
    unload,
    unset_env,
    which_applications,
)

__all__ = [
    "AppSpec",
    "Application",
    "Running",
    "StartType",
    "get_all_env",
    "get_env",
    "load",
    "loaded_applications",
    "priv_dir",
    "set_env",
    "start",
    "stop",
    "unload",
    "unset_env",
    "which_applications",
]
