"""Makes the new value: finds the objects that have to change, and makes a new object for each of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from node_runtime.behaviours.show.raw_reads import type_name

from .findings import Conversion
from .kept_ids import kept_ids
from .layouts import size_of
from .left_behind import left_behind, used_by_others
from .library_shapes.weak_shapes import WeakShape
from .replaced_shapes import Shapes
from .report import MigrationReport
from .shapes import LEAF, LEAF_CLASSES, PathStep, Shape
from .targets import TargetNamespaces, Targets

_ENTERED: Final = 0
_UNCHANGED: Final = 1
_AFFECTED: Final = 2
_VISITED: Final = frozenset((_UNCHANGED, _AFFECTED))


class Converter:
    """The default migration of several values to one target. Objects that the values share stay shared.

    A converter keeps references to all old and new values, so drop it when the migration has ended. Converters with the
    same `shapes` examine each class only once.
    """

    def __init__(self, shapes: Shapes, adopted: Sequence[Any] = ()) -> None:
        self.adopted: Final = {id(one): one for one in adopted}
        """The instances of replaced classes, by `id`, that get the new class themselves. No new object replaces them.
        """
        self._report = shapes.report
        self._shapes = shapes
        self._status: dict[int, int] = {}
        """`_ENTERED`, `_UNCHANGED` or `_AFFECTED` for each visited object, by its `id`."""
        self._made: dict[int, Any] = {}
        """The new object for each object that has to change, by the `id` of the old object."""
        self._values: list[Any] = []
        self._objects: list[Any] = []

    def convert(self, value: Any) -> Conversion:
        """Return the value for the target. Never changes `value`; never raises an error of the classes' own code."""
        self._values.append(value)
        search = self._search(value, math.inf)
        assert search is not None  # without a limit
        return self._converted(value, search)

    def convert_within(self, value: Any, max_objects: int, accepts: Callable[[Shape], bool]) -> Conversion | None:
        """Convert a small value as `convert` does. Return None if the value is too large or not accepted.

        The value may consist of at most `max_objects` objects, apart from constants, and `accepts` must return True for
        the shape of each object.
        """
        self._values.append(value)
        search = self._search(value, max_objects)
        if search is None or not all(accepts(self._shapes.of(one)) for one in search.found):
            return None
        return self._converted(value, search)

    def _converted(self, value: Any, search: _Search) -> Conversion:
        if search.affected:
            self._make_all(search)
        migrated, lost, obstacles = self._report.findings()
        if obstacles:
            self._forget(search)
            return Conversion(value, migrated, lost, obstacles)
        return Conversion(self._part(value), migrated, lost)

    def visited(self) -> list[tuple[Any, Shape, bool]]:
        """Return the objects that were found, each with its shape, and whether it has to change."""
        return [(value, self._shapes.of(value), self._is_affected(value)) for value in self._objects]

    def new_objects(self) -> dict[int, Any]:
        """Return the new object for each object that has to change, by the `id` of the old one."""
        return self._made

    def adopt(self, unchanged: Iterable[int], made: Mapping[int, Any]) -> None:
        """Take over what other converters have found.

        `unchanged` has the `id`s of objects that need no change. `made` has new objects, by the `id`s of the old ones.
        The caller keeps the old objects alive.
        """
        self._status.update(dict.fromkeys(unchanged, _UNCHANGED))
        self._status.update(dict.fromkeys(made, _AFFECTED))
        self._made.update(made)

    def _search(self, value: Any, max_objects: float) -> _Search | None:
        """Find the objects of replaced classes, and all that hold them; None if there are more than `max_objects`."""
        in_cycles: set[int] = set()
        while True:
            search = _Search(self._shapes, self._status, in_cycles, self.adopted)
            if not search.run(value, max_objects):
                self._forget(search)
                return None
            # In a cycle, the search leaves a holder before its part. If the part is affected, the holder is, too.
            missed = {holder for holder, part in search.back if self._status[part] == _AFFECTED}
            missed = {holder for holder in missed if self._status[holder] != _AFFECTED}
            if not missed:
                self._objects += search.found
                return search
            in_cycles |= missed
            self._forget(search)

    def _forget(self, search: _Search) -> None:
        for value in search.found:
            del self._status[id(value)]
            self._made.pop(id(value), None)

    def _make_all(self, search: _Search) -> None:
        """Make the new objects, parts first. An object that is in a cycle gets some of its parts only at the end."""
        self._report.parents = search.parents
        self._find_weakly_held(search)
        inside = {id(reference) for value, shape in search.affected for reference in shape.references(value)}
        for value, shape in search.affected:
            if (refusal := shape.refusal(value)) is not None:
                self._report.add_obstacle(value, shape.label, None, refusal, shape.remedy)
            elif isinstance(shape, WeakShape):
                continue  # it has a weak reference to itself
            elif shape.is_found_in_target:
                continue  # nothing is made for it
            elif (
                clause := used_by_others(value, shape.label or type_name(type(value)), self._is_affected)
            ) is not None:
                self._report.add_obstacle(value, type_name(type(value)), None, clause, "end the tasks or threads first")
            elif (clause := left_behind(value, lambda one: id(one) in inside or self._is_affected(one))) is not None:
                self._report.add_obstacle(value, type_name(type(value)), None, clause, "keep the class")
        replaced = {id(value): value for value, _ in search.affected}
        for holder, clause in kept_ids(search.found, replaced):
            remedy = "use the objects themselves, or numbers of your own, instead of their id()"
            self._report.add_obstacle(holder, type_name(type(holder)), None, clause, remedy)
        if self._report.is_clear():
            self._make(search)

    def _make(self, search: _Search) -> None:
        """Make the new objects of a search that has found no obstacle, and check them."""
        made = self._made

        def part(value: Any, new: Callable[[int, Any], Any] = made.get) -> Any:
            return new(id(value), value)

        value: Any = None
        shape: Shape = LEAF
        try:
            for value, shape in search.affected:
                if (new := shape.begin(value)) is not None:
                    made[id(value)] = new
            late = {holder for holder, part in search.back if self._status[part] == _AFFECTED and part not in made}
            for at_end in (False, True):
                for value, shape in search.affected:
                    if (id(value) in late) is at_end:
                        made[id(value)] = shape.finish(value, made.get(id(value)), part)
            if self._report.is_clear():
                for value, shape in search.affected:
                    shape.check(value, made[id(value)])
                    if shape.is_keyed:
                        self._check_size(value, made[id(value)])
        except Exception as error:  # of the release's own code, such as a __hash__
            label = shape.label or type_name(type(value))
            reason = f"{type(error).__name__} was raised when a new {label} was made: {error}"
            self._report.add_obstacle(value, label, None, reason, "")

    def _check_size(self, old: Any, new: Any) -> None:
        """Report an obstacle if `new`, a dict or set, has fewer entries than `old`, because some entries are equal in
        the target.
        """
        before, after = size_of(old), size_of(new)
        if after < before:
            label = type_name(type(old))
            reason = f"entries of a {label} are equal in the target: of {before:,} entries, {after:,} would be left"
            self._report.add_obstacle(old, label, None, reason, "keep the __eq__ of its entries")

    def _find_weakly_held(self, search: _Search) -> None:
        """Report each object that has to change if only weak references lead to it: its new object would vanish."""
        weak = [(holder, shape) for holder, shape in search.affected if isinstance(shape, WeakShape)]
        if not weak:
            return
        kept: dict[int, int] = {}
        _Search(self._shapes, kept, set(), is_strong=True).run(search.root)
        found = set(map(id, search.found))
        for holder, shape in weak:
            for target in shape.targets(holder):
                if not self._is_affected(target) or self._shapes.of(target).is_found_in_target:
                    continue
                if id(target) in found and id(target) not in kept:
                    label = type_name(type(target))
                    reason = f"only weak references lead to an object of {label}, so a new object would vanish at once"
                    self._report.add_obstacle(target, label, None, reason, "keep the class")

    def _is_affected(self, value: Any) -> bool:
        return self._status.get(id(value)) == _AFFECTED

    def _part(self, value: Any) -> Any:
        return self._made[id(value)] if self._status.get(id(value)) == _AFFECTED else value


class _Search:
    """A walk through a value, depth first. Objects are represented by their `id`s.

    `found` has the objects that no earlier walk has visited. `affected` has the objects that have to change, parts
    first. `parents` has, for each affected object, its holder and the step from there. `back` has the pairs (holder,
    part) that close a cycle. With `is_strong`, weak references are not followed.
    """

    def __init__(
        self,
        shapes: Shapes,
        status: dict[int, int],
        in_cycles: set[int],
        adopted: Container[int] = (),
        *,
        is_strong: bool = False,
    ) -> None:
        self.root: Any = None
        self.found: list[Any] = []
        self.affected: list[tuple[Any, Shape]] = []
        self.back: list[tuple[int, int]] = []
        self.parents: dict[int, tuple[int, PathStep] | None] = {}
        self._shapes = shapes
        self._status = status
        self._in_cycles = in_cycles
        self._adopted = adopted
        self._is_strong = is_strong

    def run(self, root: Any, max_found: float = math.inf) -> bool:
        """Walk through the value. Stop and return False if it has more than `max_found` objects."""
        self.root = root
        status, shapes, back = self._status, self._shapes, self.back
        stack: list[_Visit] = []
        self._enter(stack, root, None)
        while stack:
            if len(self.found) > max_found:
                return False
            visit = stack[-1]
            for step, part in visit.parts:
                if id(type(part)) in LEAF_CLASSES:
                    continue
                known = status.get(id(part))
                if known is None:
                    if shapes.of(part) is not LEAF:
                        self._enter(stack, part, step)
                        break
                elif known == _AFFECTED:
                    visit.affected = True
                elif known == _ENTERED:
                    back.append((id(visit.value), id(part)))
            else:
                self._leave(stack)
        return True

    def _enter(self, stack: list[_Visit], value: Any, step: PathStep | None) -> None:
        shape = self._shapes.of(value)
        if id(type(value)) in LEAF_CLASSES or shape is LEAF or id(value) in self._status:
            return
        parts = shape.strong_parts(value) if self._is_strong else shape.parts(value)
        visit = _Visit(value, shape, parts, step)
        visit.affected = (shape.replaced and id(value) not in self._adopted) or id(value) in self._in_cycles
        if type(value) is list:
            # Often, all items of a long list are known already, because `adopt` has got the objects made ahead.
            known = set(map(self._status.get, map(id, value)))
            if known <= _VISITED:
                visit.parts = iter(())
                visit.affected |= _AFFECTED in known
        self._status[id(value)] = _ENTERED
        self.found.append(value)
        stack.append(visit)

    def _leave(self, stack: list[_Visit]) -> None:
        visit = stack.pop()
        self._status[id(visit.value)] = _AFFECTED if visit.affected else _UNCHANGED
        holder = stack[-1] if stack else None
        if visit.affected:
            self.affected.append((visit.value, visit.shape))
            if holder is not None and visit.step is not None:
                holder.affected = True
                self.parents[id(visit.value)] = id(holder.value), visit.step


class _Visit:
    """An object whose parts are being visited. `step` leads to the object from the object that holds it as a part."""

    __slots__ = ("affected", "parts", "shape", "step", "value")

    def __init__(self, value: Any, shape: Shape, parts: Iterator[tuple[PathStep, Any]], step: PathStep | None) -> None:
        self.value = value
        self.shape = shape
        self.parts = parts
        self.step = step
        self.affected = False


def migration_obstacles(value: Any, target_namespaces: TargetNamespaces) -> Conversion:
    """Return what the default migration of `value` would do: see `Conversion`. The value is not changed."""
    return Converter(shapes_for(target_namespaces)).convert(value)


def shapes_for(target_namespaces: TargetNamespaces) -> Shapes:
    """Return an empty table of shapes. `target_namespaces` has the namespace of each module in the target.

    A class is examined when the shape of its first object is needed.
    """
    return Shapes(Targets(target_namespaces), MigrationReport())
