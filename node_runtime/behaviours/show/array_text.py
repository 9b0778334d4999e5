"""The text of a NumPy array: its type and its shape, read through C descriptors, without importing NumPy."""

from __future__ import annotations

from typing import Any, Final

from .raw_reads import OPAQUE, module_of, mro_of, name_of, namespace_of

_FLAGS: Final = vars(type)["__flags__"]
_HEAP_TYPE: Final = 1 << 9
"""The flag of a class made by Python code. NumPy's own array type doesn't have the flag, because C code makes it."""
_KINDS: Final = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
"""The names of NumPy's kinds of numbers. The number of bits is appended to them, as in `float64`."""
_OTHER_KINDS: Final = {"b": "bool", "O": "object", "S": "bytes", "U": "str", "M": "datetime64", "m": "timedelta64"}


def is_array_class(cls: type) -> bool:
    """Return whether a class is NumPy's array type itself."""
    made_in_c = type(cls) is type and not _FLAGS.__get__(cls) & _HEAP_TYPE
    return made_in_c and name_of(cls) == "ndarray" and module_of(cls) == "numpy"


def array_text(value: Any, max_length: int) -> str:
    """Return the type and the shape of an array, such as `‹numpy.ndarray float64 3x4›`."""
    shape = _read(value, "shape")
    if type(shape) is not tuple:
        return OPAQUE
    sizes = "x".join(map(str, shape)) if shape else "no dimension"
    return f"‹numpy.ndarray {_type_words(_read(value, 'dtype'))} {sizes}›"


def _type_words(dtype: object) -> str:
    kind, size = _read(dtype, "kind"), _read(dtype, "itemsize")
    if type(kind) is not str or type(size) is not int:
        return "of an unknown type"
    return f"{_KINDS[kind]}{8 * size}" if kind in _KINDS else _OTHER_KINDS.get(kind, f"kind {kind}")


def _read(value: object, name: str) -> object:
    """Read an attribute through a descriptor that is written in C; None if there is no such descriptor."""
    for base in mro_of(type(value)):
        if (descriptor := namespace_of(base).get(name)) is not None:
            made_in_c = not _FLAGS.__get__(base) & _HEAP_TYPE
            return type(descriptor).__get__(descriptor, value) if made_in_c else None  # type: ignore[attr-defined]
    return None
