"""NumPy arrays of Python objects are converted in states, and adopt the new class in global variables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import numpy
from node_runtime.code.loading.code_in_containers import ObjectWalk
from tests.support.migrated import versions

ITEM = "class Item:\\n    version = {n}\\n    def __init__(self, of=None):\\n        self.of = of\\n"

def items(array):
    return [getattr(type(one), "version", type(one).__name__) for one in array.ravel().tolist()]

with versions(ITEM.format(n=1), ITEM.format(n=2)) as both:
    item = both.old("Item()")
    pair = numpy.empty((2, 2), dtype=object)
    pair[0, 0], pair[0, 1], pair[1, 0], pair[1, 1] = item, [item], "text", 3
    new, alone = both.up([pair, item]).value
    print(new.shape, items(pair), items(new), new[0, 0] is alone, new[0, 1][0] is alone)
    walked = ObjectWalk().objects_in({"pair": pair}, "the variables whose instances adopt a new class")
    print(any(one is item for one in walked))
    pair[0, 0] = pair
    print(both.up(pair).value[0, 0].shape)
    plain = [numpy.zeros(3), numpy.array(["text", None], dtype=object)]
    print(both.up(plain).value is plain)
    print(both.up(numpy.array([both.old("Item()")] * 4, dtype=object)[1:]).obstacles[0])
    print(both.up(numpy.array([(1, both.old("Item()"))], dtype=[("a", "i4"), ("b", "O")])).obstacles[0])
"""
"""A program of its own, because numpy's threads and fork handlers would stay in the process of the other tests."""


def test_an_array_of_objects_becomes_one_of_new_objects() -> None:
    line = [sys.executable, "-X", "utf8", "-c", PROGRAM]
    root = Path(__file__).parents[3]
    shown = subprocess.run(line, capture_output=True, encoding="utf-8", check=False, cwd=root)
    can_not = "(numpy.ndarray) holds an object of a class that is replaced, and can't be copied"
    assert shown.stderr == ""
    assert shown.stdout.splitlines() == [
        "(2, 2) [1, 'list', 'str', 'int'] [2, 'list', 'str', 'int'] True True",
        "True",
        "(2, 2)",
        "True",
        f"a view of an array {can_not}",
        f"an array of records {can_not}",
    ]
