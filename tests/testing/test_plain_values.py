"""States of two versions are compared as plain values, whatever the containers of their objects are."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from node_runtime.releases.build.project import read_project
from node_runtime.testing.parameters import with_ports
from node_runtime.testing.plain_values import plain
from tests.support.projects.shop_versions import write_shop


@dataclass(frozen=True)
class Seat:
    row: int


class Kind(enum.Enum):
    OPEN = 1


def test_objects_in_sets_and_in_keys_are_plain_too() -> None:
    assert plain({Seat(2), Seat(1)}) == [{"row": 1}, {"row": 2}]
    assert plain({Kind.OPEN: {Seat(1): "ann"}}) == {"OPEN": {"{'row': 1}": "ann"}}
    assert plain((frozenset({Kind.OPEN}), {1, 2}, {(1, "a"): [Seat(3)]})) == (
        frozenset({"OPEN"}),
        {1, 2},
        {(1, "a"): [{"row": 3}]},
    )


def test_each_release_has_a_port_for_each_of_its_parameters(tmp_path: Path) -> None:
    projects = tuple(
        read_project(write_shop(tmp_path / vsn, vsn, {}, app=f"[env]\n{env}"))
        for vsn, env in (("1", "port = 1\nsize = 2\n"), ("2", "admin_port = 1\nport = 1\n"), ("3", ""))
    )
    ports = iter(range(9))
    assert with_ports(projects, lambda: next(ports)) == {"shop": {"port": 0, "admin_port": 1}}
