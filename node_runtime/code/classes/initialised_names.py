"""The attributes that the initialisers of a class assign. Objects made without an initialiser may lack them."""

from __future__ import annotations

import dis
from contextlib import suppress
from itertools import pairwise
from types import FunctionType

from node_runtime.behaviours.show.raw_reads import mro_of, namespace_of

_INITIALISERS = ("__init__", "__post_init__", "__attrs_post_init__", "model_post_init")


def initialised_names(cls: type) -> frozenset[str]:
    """Return the names of the attributes that initialisers of `cls` or its bases assign, as in `self.name = …`."""
    functions = (namespace_of(base).get(name) for base in mro_of(cls) for name in _INITIALISERS)
    return frozenset(
        name
        for function in functions
        if isinstance(function, FunctionType)
        for one in (function, *_wrapped(function))
        for name in _assigned(one)
    )


def _wrapped(function: FunctionType) -> list[FunctionType]:
    """Return the functions that a decorator's function calls; pydantic wraps `model_post_init`, for example."""
    contents = []
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # an empty cell
            contents.append(cell.cell_contents)
    return [one for one in contents if isinstance(one, FunctionType)]


def _assigned(function: FunctionType) -> set[str]:
    code = function.__code__
    if not code.co_argcount:
        return set()
    this = code.co_varnames[0]
    steps = list(dis.get_instructions(code))
    found = set()
    for before, step in pairwise(steps):
        if step.opname == "STORE_ATTR" and before.opname.startswith("LOAD_FAST"):
            loaded = before.argval[-1] if isinstance(before.argval, tuple) else before.argval
            if loaded == this:
                found.add(step.argval)
    return found
