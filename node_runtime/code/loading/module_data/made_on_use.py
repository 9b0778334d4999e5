"""The attributes without data: those that the class of an instance makes when they are first used."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Final

from node_runtime.code.module import HotModule

_METHODS: Final = (FunctionType, staticmethod, classmethod)
_BY_LIBRARIES: Final[dict[str, str]] = {
    "starlette.applications.Starlette": "middleware_stack",
    "starlette.staticfiles.StaticFiles": "config_checked",
    "fastapi.applications.FastAPI": "openapi_schema _openapi_routes_version",
    "fastapi.telemetry._asgi.NativeTelemetry": "_provider _duration _active _tracer_provider _tracer",
    "fastapi.routing._IncludedRouter": """_effective_candidates _effective_candidates_version
        _effective_low_priority_routes _effective_low_priority_routes_version""",
    "litestar.app.Litestar": "_openapi_schema",
    "litestar._asgi.asgi_router.ASGIRouter": "handle_routing",
    "litestar._openapi.plugin.OpenAPIPlugin": "_openapi _openapi_schema",
    "litestar.events.emitter.SimpleEventEmitter": "_exit_stack _receive_stream _send_stream",
    "litestar.routes.base.BaseRoute": "handler_names route_handlers",
    "litestar.handlers.base.BaseRouteHandler": """_resolved_after_response _resolved_before_request _resolved_data_dto
        _resolved_dependencies _resolved_guards _resolved_include_in_schema _resolved_layered_parameters
        _resolved_request_class _resolved_request_max_body_size _resolved_response_class _resolved_return_dto
        _resolved_security _resolved_signature_namespace _resolved_tags _resolved_type_decoders _resolved_type_encoders
        _resolved_websocket_class _response_handler_mapping""",
    "pydantic.type_adapter.TypeAdapter": "pydantic_complete core_schema validator serializer",
    "flask.sansio.app.App": "_got_first_request",
    "quart.app.Quart": "shutdown_event while_serving_gens",
    "werkzeug.routing.map.Map": "_remap",
    "aiohttp.web_app.Application": """_debug _frozen _has_legacy_middlewares _loop _middlewares_handlers _pre_frozen
        _run_middlewares""",
    "aiohttp.web_app.CleanupContext": "_exits",
    "aiohttp.abc.AbstractRouter": "_frozen",
    "jinja2.environment.Environment": "cache",
    "jinja2.environment.Template": "_module",
    "concurrent.futures.thread.ThreadPoolExecutor": "_threads _idle_semaphore _thread_name_prefix",
    "click.core.Command": "_help_option",
    "django.urls.resolvers.URLResolver": "_populated _callback_strs _namespace_dict _reverse_dict _app_dict _local",
}
"""By class: attributes that a library makes from others when they are first used, or in an arbitrary order."""


def cached_properties(kind: type) -> set[str]:
    """Return the cached properties that applications define."""
    own = (base for base in kind.__mro__ if isinstance(sys.modules.get(base.__module__), HotModule))
    return {name for base in own for name, each in vars(base).items() if _is_cached_property(type(each))}


def made_on_use(kind: type) -> set[str]:
    """Return the attributes that a library makes when they are first used, so that they hold no data."""
    found = {name for base in kind.__mro__ for name, each in vars(base).items() if _is_cached_property(type(each))}
    found -= cached_properties(kind)
    for base in kind.__mro__:
        found |= set(_BY_LIBRARIES.get(f"{base.__module__}.{base.__qualname__}", "").split())
    return found


def _is_cached_property(kind: type) -> bool:
    """Return whether an attribute of this type computes a value that an instance keeps under the same name."""
    if issubclass(kind, property):  # werkzeug's cached_property is a property
        return kind.__get__ is not property.__get__
    return hasattr(kind, "__get__") and not hasattr(kind, "__set__") and not issubclass(kind, _METHODS)
