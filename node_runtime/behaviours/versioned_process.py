"""A process whose state lives in an instance of one version of its callback class.

A process has one instance at a time. The state is a slot of this instance, so reading the state is cheap. When new code
has been loaded, the process makes an instance of the new version before its next callback, and moves the state to the
new instance. A callback that waits at an `await` while new code is loaded ends with the old instance. No change is
lost, because the new instance doesn't exist before that callback has ended. (Rejected: a state in the process object
that all instances read. Every access would cost more.)
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from node_runtime.processes.pid import Pid
from node_runtime.processes.runtime import Runtime

from .behaviour import Behaviour, current_class
from .callback_class import CallbackVersion
from .pending_replies import ReplyingProcess
from .sys_debug import DebugRecorder


class VersionedProcess(ReplyingProcess):
    """A process that finds its callback class by name, and holds the state in an instance of the class."""

    __slots__ = ("code", "coroutine", "instance")
    behaviour: ClassVar[type[Behaviour]]
    """The behaviour of which the callback class has to be a subclass."""
    state_attribute: ClassVar[str]
    """The name of the only attribute of an instance, which holds the state."""
    read_state: ClassVar[Any]
    """The function that reads the state of an instance without running code of the callback class."""
    needs_call_back: ClassVar[bool] = False
    """Whether every request has to go through `call_back`, because running its method alone is not enough."""

    def __init__(self, runtime: Runtime, parent: Pid, cls: type[Behaviour]) -> None:
        super().__init__(runtime, parent)
        module, qualname = cls.__module__, cls.__qualname__
        current = current_class(module, qualname)
        version: Any = current if isinstance(current, type) else cls
        self.instance: Any = object.__new__(version)
        self.code = CallbackVersion.of(version, module, qualname, None, needs_call_back=self.needs_call_back)
        self.coroutine: Coroutine[Any, Any, Any] | None = None
        """The async callback that the process awaits.

        Set here, because an `__init__` in the subclass would make each start slower.
        """

    @property
    def module(self) -> str:
        return self.code.module

    @property
    def qualname(self) -> str:
        return self.code.qualname

    @property
    def namespace(self) -> dict[str, Any]:
        """The namespace that the instance's class comes from."""
        return self.code.namespace

    @property
    def debug(self) -> DebugRecorder | None:
        """The recorder that a function of `sys` has installed, if any."""
        return self.code.debug

    @property
    def methods(self) -> dict[str, Any]:
        """The public methods that may answer a request directly, in the turn of the caller, without `call_back`."""
        return self.code.methods

    def take_state(self, state: Any) -> None:
        """Replace the state by the result of `init`, a code change or `sys.replace_state`."""
        setattr(self.instance, self.state_attribute, state)

    def raw_state(self) -> Any:
        """Return the state object itself; None if there is none yet."""
        try:
            return self.read_state(self.instance)
        except AttributeError:
            return None

    def has_state(self) -> bool:
        """Return whether there is a state: `init` has returned."""
        try:
            self.read_state(self.instance)
        except AttributeError:
            return False
        return True

    def make_instance(self, cls: Any, state: Any) -> Any:
        """Return an instance of this version of the class with the state, for `take_instance`. Changes nothing.

        An upgrade makes all instances before it gives the first process a new one. Raises TypeError or AttributeError
        for a class that can't hold the state.
        """
        made: Any = object.__new__(cls)
        setattr(made, self.state_attribute, state)
        return made

    def version_of(self, cls: Any) -> CallbackVersion:
        """Return the CallbackVersion of this process for a version of its class."""
        module, qualname, debug = self.code.module, self.code.qualname, self.code.debug
        return CallbackVersion.of(cls, module, qualname, debug, needs_call_back=self.needs_call_back)

    def take_instance(self, instance: Any, code: CallbackVersion, state: Any) -> None:
        """Continue with an instance that `make_instance` has made with `state`. Can't fail."""
        self.instance, self.code = instance, code

    def refresh(self) -> None:
        """Move to the current version of the class, with the state. Raises LookupError if the class is gone."""
        cls = current_class(self.module, self.qualname)
        if not isinstance(cls, type):
            raise LookupError(f"the current version of {self.module} has no class {self.qualname}")
        made: Any = object.__new__(cls)
        code = self.version_of(cls)
        if self.has_state():
            setattr(made, self.state_attribute, self.read_state(self.instance))
        self.instance, self.code = made, code
