"""A real node in this process: a release on disk, its processes, its release handler and its control sockets.

Tests load it as a plugin, for its fixtures.
"""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from node_runtime import Runtime, application
from node_runtime.code import CodeServer
from node_runtime.control import Control, NodeIdentity
from node_runtime.control.gateway.limits import GatewayLimits
from node_runtime.protocol.client import Client
from node_runtime.protocol.cookie import cookie_path, read_cookie
from node_runtime.protocol.messages import Role
from node_runtime.protocol.run_directory import NodeAddress, NodeRecord, locate, write_record
from node_runtime.releases.files.manifest import (
    AppEntry,
    FileEntry,
    Manifest,
    ModuleEntry,
    manifest_path,
    sha256,
    this_platform,
    this_python,
)
from node_runtime.releases.planning.app_env import application_spec, register_sources
from node_runtime.releases.release_handler import ReleaseHandler
from node_runtime.releases.store import commit_record
from node_runtime.releases.store.catalog import Catalog

NAME = "shop@127.0.0.1"
BOOT = "b00t"

MODULES = {
    "shop_app": """
        from node_runtime import Application, ChildSpec, Supervisor, supervisor

        class Shop(Application):
            async def start(self, start_type, args):
                return await supervisor.start_link(ShopSup, name="shop_sup")

        class ShopSup(Supervisor):
            strategy, intensity, period = "one_for_one", 5, 10.0

            def children(self):
                return [
                    ChildSpec("till", start="shop_till:start_link"),
                    ChildSpec("lamp", start="shop_lamp:start_link"),
                    ChildSpec("guest", start="shop_till:start_guest", restart="temporary"),
                ]
        """,
    "shop_till": """
        import asyncio
        import time
        from dataclasses import dataclass, field
        from node_runtime import GenServer, gen_server

        async def start_link():
            return await gen_server.start_link(Till, name="till")

        async def start_guest():
            return await gen_server.start_link(Till)

        @dataclass(slots=True)
        class Drawer:
            coins: int = 0
            pin_token: str = "1234"

        class Till(GenServer[Drawer]):
            def init(self):
                return Drawer()

            def take(self, coins):
                self.state.coins += coins

            async def ponder(self):
                await asyncio.Event().wait()

            def block(self, released):
                released.wait()
        """,
    "shop_lamp": """
        from node_runtime import GenStatem, gen_statem, keep

        async def start_link():
            return await gen_statem.start_link(Lamp, name="lamp")

        class Lamp(GenStatem[dict]):
            def init(self):
                return "green", {"turns": 0}

            def green(self, event):
                return keep
        """,
}


class Node:
    """The parts of the running node, and clients for it."""

    def __init__(self, root: Path, runtime: Runtime) -> None:
        self.root = root
        self.runtime = runtime
        self.code = CodeServer()
        self.stops: list[bool] = []

    async def boot(self) -> None:
        """Boot as a node does."""
        release = Catalog(self.root).release("1.0")
        self.code.install()
        register_sources(self.code, release, release)
        application.load(application_spec(release, "shop"))
        self.handler = ReleaseHandler(self.root, "1.0", self.code)
        self.control = self.make_control()
        self.port = self.control.start()
        await application.start("shop")
        write_record(self.record())

    def make_control(self, listen: str = "127.0.0.1:0", limits: GatewayLimits | None = None) -> Control:
        """A control endpoint for this node."""
        control = Control(
            self.handler,
            self.runtime,
            self.code,
            NodeIdentity(NAME, BOOT, self.root),
            on_stop=self.stops.append,
            listen=listen,
        )
        control.limits = limits or control.limits
        return control

    def open_control(self, limits: GatewayLimits | None = None) -> None:
        """Start another control endpoint instead of the present one."""
        self.control.stop()
        self.control = self.make_control(limits=limits)
        self.port = self.control.start()
        write_record(self.record())

    def record(self) -> NodeRecord:
        """The node's record."""
        return NodeRecord(
            name=NAME,
            os_pid=os.getpid(),
            boot_id=BOOT,
            host="127.0.0.1",
            port=self.port,
            events_port=self.port,
            directory=str(self.root),
            release="shop",
            vsn="1.0",
            started=time.time(),
        )

    def address(self, role: Role = "operator") -> NodeAddress:
        """The node's address, with the cookie of `role`."""
        return replace(locate(NAME), cookie=read_cookie(cookie_path(self.root, role)))

    @asynccontextmanager
    async def client(self, role: Role = "operator") -> AsyncIterator[Client]:
        """A connected client."""
        async with Client.connect(self.address(role), user="ann", client_name="test") as client:
            yield client

    async def stop(self) -> None:
        """Take the node down."""
        self.control.stop()
        await self.handler.stop()
        await application.stop("shop")
        self.code.uninstall()


UPGRADE = """
    [[up]]
    from = "1.0"
    instructions = [{ update = "shop_till", change = "advanced" }]
    [[down]]
    to = "1.0"
    instructions = [{ update = "shop_till", change = "advanced" }]
"""


def write_release(root: Path, vsn: str, modules: Mapping[str, str], appup: str = "") -> None:
    """Put a release into the node's directory, as unpacking does; the first one is permanent."""
    folder = root / f"lib/shop-{vsn}"
    entries = {}
    for module, text in modules.items():
        file = folder / "src" / f"{module}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        entries[module] = ModuleEntry(path=str(file.relative_to(root)), sha256=sha256(file.read_bytes()))
    about = f'name = "shop"\nvsn = "{vsn}"\nmod = "shop_app:Shop"\n'.encode()
    (folder / "app.toml").write_bytes(about)
    (folder / "appup.toml").write_text(f'vsn = "{vsn}"\n{textwrap.dedent(appup)}')
    manifest = Manifest(
        name="shop",
        vsn=vsn,
        python=this_python(),
        platform=this_platform(),
        path=(),
        apps=(AppEntry(name="shop", vsn=vsn, modules=entries),),
        files={f"lib/shop-{vsn}/app.toml": FileEntry(size=len(about), sha256=sha256(about))},
    )
    release = root / "releases" / vsn
    release.mkdir(parents=True)
    (root / manifest_path(vsn)).write_bytes(manifest.encoded())
    (release / "release.toml").write_text(f'name = "shop"\nvsn = "{vsn}"\napps = ["shop"]\n')
    (release / "node.toml").write_text(f'name = "{NAME}"\n[probation]\ndeadline = 60.0\n')
    known = commit_record.load(root)
    commit_record.save(root, known.with_unpacked(vsn) if known else commit_record.first_record(vsn))


@pytest.fixture
def own_run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own run directory."""
    path = tmp_path / "run"
    monkeypatch.setenv("NODE_RUNTIME_RUN_DIR", str(path))
    monkeypatch.delenv("HOTDASH_COOKIE_FILE", raising=False)
    return path


@pytest.fixture
async def shop(tmp_path: Path, own_run_directory: Path) -> AsyncIterator[Node]:
    """A running node with release 1.0 of `shop`; 1.1, whose till counts twice, is unpacked."""
    root = tmp_path / "shop"
    root.mkdir()
    write_release(root, "1.0", MODULES)
    newer = {**MODULES, "shop_till": MODULES["shop_till"].replace("coins\n", "2 * coins\n")}
    write_release(root, "1.1", newer, UPGRADE)
    async with Runtime() as runtime:
        running = Node(root, runtime)
        await running.boot()
        yield running
        await running.stop()
