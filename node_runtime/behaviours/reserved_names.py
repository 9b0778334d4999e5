"""The names that a callback class must leave to the runtime, which sets and reads a process's state through them."""

from __future__ import annotations

from typing import Final

STATE_HOOKS: Final = ("__setattr__", "__getattribute__")
"""Hooks of Python that would run between a process and its state."""


def defined_reserved_name(cls: type, attribute: str) -> str | None:
    """Return a sentence about a reserved name that a callback class or a base of it defines; None if there is none.

    `attribute` is the name of the slot for the state. An instance of such a class may be impossible to give a state,
    and an upgrade would find that out when it resumes the processes.
    """
    for name in (attribute, *STATE_HOOKS):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        if owner is not object and "__behaviour__" not in vars(owner):
            return reserved_name_sentence(cls, attribute, name, owner)
    return None


def reserved_name_sentence(cls: type, attribute: str, name: str, owner: type | None = None) -> str:
    """Return the sentence for one reserved name, which `owner`, by default `cls` itself, defines."""
    inherits = owner is not None and owner is not cls
    whose = f"{owner.__qualname__}, a base of {cls.__qualname__}," if owner and inherits else cls.__qualname__
    if name == attribute:
        return f"{whose} defines {name}, the attribute that holds the state of its processes; choose another name"
    return f"{whose} defines {name}, which would run between a process and its state; remove it"
