"""The shapes of some classes of the standard library. Objects of their subclasses have other shapes."""

from __future__ import annotations

import asyncio
import datetime
import functools
import queue
import types
import weakref
from typing import Final

from node_runtime.code.classes.aliases import ALIAS_CLASSES
from node_runtime.releases.migration.shapes import Shape

from .alias_shape import AliasShape
from .code_shapes import BuiltinMethodShape, CellShape, MethodShape, PartialShape, ProxyShape
from .queue_shapes import AsyncQueueShape, ThreadQueueShape
from .weak_shapes import WeakKeysShape, WeakMethodShape, WeakReferenceShape, WeakSetShape, WeakValuesShape
from .zoned_shape import ZONED_SHAPE

_SHAPES: Final[dict[type, Shape]] = {
    types.CellType: CellShape(),
    types.MethodType: MethodShape(),
    types.BuiltinFunctionType: BuiltinMethodShape(),
    functools.partial: PartialShape(),
    types.MappingProxyType: ProxyShape(),
    **dict.fromkeys(ALIAS_CLASSES, AliasShape()),
    datetime.datetime: ZONED_SHAPE,
    datetime.time: ZONED_SHAPE,
    weakref.ReferenceType: WeakReferenceShape(weakref.ref, "weak reference"),
    **dict.fromkeys(weakref.ProxyTypes, WeakReferenceShape(weakref.proxy, "weakref.proxy")),
    weakref.WeakMethod: WeakMethodShape(),
    weakref.WeakSet: WeakSetShape(),
    weakref.WeakValueDictionary: WeakValuesShape(),
    weakref.WeakKeyDictionary: WeakKeysShape(),
    **{cls: AsyncQueueShape(cls) for cls in (asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue)},
    **{cls: ThreadQueueShape(cls) for cls in (queue.Queue, queue.LifoQueue, queue.PriorityQueue)},
}
EXACT_SHAPES: Final = {id(cls): shape for cls, shape in _SHAPES.items()}
"""The shapes by the identity of the class, because a class with its own metaclass may run code when it is hashed."""
