"""A project whose processes, configuration, log and errors are full of secrets, all of which look like `PLANTED`."""

from __future__ import annotations

import base64
import re
from typing import Final

from tests.support.projects.tiny_project import FILES

PLANTED: Final = re.compile(r"Zq\d\dxK7vT2mNp")
"""A planted secret."""


def secret(number: int) -> str:
    """The secret with this number."""
    return f"Zq{number:02d}xK7vT2mNp"


BASIC: Final = base64.b64encode(f"ana:{secret(20)}".encode()).decode()
"""A planted secret as it is in a header."""

STATES: Final = """
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypedDict

from tiny.wire import Wire

from node_runtime import GenServer, GenStatem, Next, Secret, gen_server, gen_statem

Pin = Annotated[str, Secret]


class Profile(TypedDict):
    nick: str
    answer: Annotated[str, Secret]


class Card(NamedTuple):
    owner: str
    number: Pin


@dataclass
class Vault:
    count: int = 0
    smtp_password: str = "S01"
    database: str = "postgres://ana:S02@db/shop"
    auth: tuple[str, str] = ("ana", "S03")
    asgi: list[Any] = field(default_factory=lambda: [[b"host", b"x"], [b"authorization", b"S04"]])
    headers: dict[str, str] = field(default_factory=lambda: {"X-Api-Key": "S05", "Host": "x"})
    session: str = "eyJhbGciOiJIUzI1NiJ9.S06.c2ln"
    pem: str = "-----BEGIN EC PRIVATE KEY-----\\nS07\\n-----END EC PRIVATE KEY-----"
    nested: dict[str, Any] = field(default_factory=lambda: {"a": [{"passphrase": "S08"}]})
    by_url: dict[str, int] = field(default_factory=lambda: {"https://S09S09S09@git/x": 1})
    pin: Pin = "S10"
    wire: Wire = field(default_factory=lambda: Wire("db", "S12"))
    body: bytes = b"user=ana&password=S14&x=1"
    error: Exception = field(default_factory=lambda: ValueError("no such token=S15"))
    link: str = "https://shop/reset?token=S16&page=2"
    env: list[dict[str, str]] = field(default_factory=lambda: [{"name": "API_KEY", "value": "S17"}])
    header: str = "Bearer S19"
    basic: str = "Basic BASIC"
    source: str = "ghp_S21S21S21"
    card: Card = Card("ana", "S25")
    keyboard: str = "qwerty"


class VaultServer(GenServer[Vault]):
    def init(self):
        return Vault()

    @classmethod
    def code_change(cls, old_vsn, state, extra):
        return CODE_CHANGE


class ProfileServer(GenServer[Profile]):
    def init(self):
        return {"nick": "ana", "answer": "S11"}


class Door(GenStatem[dict[str, Any]]):
    def init(self):
        return "locked", {"private_key": "S23", "opened": 0}

    def locked(self, event) -> Next:
        raise AssertionError("nobody knocks")


async def start_vault(key: str):
    return await gen_server.start_link(VaultServer, name="vault")


async def start_profile():
    return await gen_server.start_link(ProfileServer, name="profile")


async def start_door():
    return await gen_statem.start_link(Door, name="door")
"""

WIRE: Final = """
from __future__ import annotations

from typing import Annotated

import msgspec

from node_runtime import Secret


class Wire(msgspec.Struct):
    host: str
    code: Annotated[str, Secret]
"""
"""A module of its own: a load makes a Struct anew, and the code_changes copy no Struct."""

FAULTS: Final = """
from __future__ import annotations

import logging
import threading
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from node_runtime import GenServer, NoProcess, Secret, Stop, cast, exit, gen_server, send, spawn, until_ended

log = logging.getLogger("tiny.faults")


@dataclass
class Login:
    user: str
    pin: Annotated[str, Secret]


class Faulty(GenServer[dict[str, Any]]):
    def init(self):
        return {"apikey": "S18", "url": "amqp://ana:S22@mq"}

    def rob(self, password: str, pin: Annotated[str, Secret]) -> None:
        try:
            raise ConnectionError("can't reach postgres://ana:S37@db")
        except ConnectionError as error:
            raise ValueError("login failed: password='S35', user=ana") from error

    def leave(self) -> None:
        raise Stop(("denied", {"token": "S36"}))


class Reporter(GenServer[int]):
    async def init(self):
        log.info("request with %s", {"Authorization": "Bearer S39"})
        log.warning("GET /x?access_token=S28&page=2")
        try:
            raise KeyError("secret=S40")
        except KeyError:
            log.exception("it failed")
        warnings.warn("insecure password: S44")
        thread = threading.Thread(target=self._fail)
        thread.start()
        thread.join()
        for message in (lambda pid: cast(pid, Faulty.rob, "S33", "S34"), lambda pid: cast(pid, Faulty.leave)):
            pid = await gen_server.start(Faulty, name="faulty")
            message(pid)
            await _ended(pid)
        pid = await gen_server.start(Faulty, name="quiet")
        exit(pid, "the credentials of ana are 'S38'")
        await _ended(pid)
        odd = spawn(self._odd)
        await _ended(odd)
        return 0

    @staticmethod
    async def _odd():
        raise RuntimeError("wrong passphrase: S41 it was")

    @staticmethod
    def _fail():
        raise OSError("jwt=S42")


async def _ended(pid):
    with suppress(NoProcess):
        await until_ended(pid)


async def start_reporter():
    pid = await gen_server.start_link(Reporter, name="reporter")
    send(pid, Login("ana", "S43"))
    return pid
"""

SUP: Final = """
from node_runtime import ChildSpec, Supervisor


class TinySup(Supervisor):
    strategy, intensity, period = "one_for_one", 10, 60.0

    def children(self):
        return [
            ChildSpec("vault", start="tiny.states:start_vault", args=("S26",)),
            ChildSpec("profile", start="tiny.states:start_profile"),
            ChildSpec("door", start="tiny.states:start_door"),
            ChildSpec("reporter", start="tiny.faults:start_reporter"),
        ]
"""

APP: Final = """
from node_runtime import Application, application, supervisor
from tiny.sup import TinySup

class TinyApp(Application):
    async def start(self, start_type, args):
        if application.get_env("tiny", "greeting") == "explode":
            raise ValueError("bad dsn: postgres://ana:S47@db/x")
        return await supervisor.start_link(TinySup, name="tiny_sup")
"""

CONFIGURATION: Final = """
[tiny]
greeting = "hello"
smtp_password = "S27"
broker = "amqp://ana:S29@mq/{vsn}"
[tiny.mail]
auth = "S30-{vsn}"
hosts = [{ name = "a", api_key = "S31-{vsn}" }]
"""

APPUP: Final = """
vsn = "{vsn}"
[[up]]
from = "1.0"
instructions = [{ update = "tiny.states", change = "advanced" }, { apply = "tiny.app:note", args = ["token=S32"] }]
[[down]]
to = "1.0"
instructions = [{ update = "tiny.states", change = "advanced" }]
"""

NOTE: Final = """

def note(text):
    return None
"""

CHANGES: Final = {
    "1.0": "Vault(**vars(state))",
    "2.0": 'Vault(**{**vars(state), "count": state.count + 1, "smtp_password": "S13", "pin": "S24"})',
    "3.0": 'int("password=S45")',
}
"""The code_change of each version: one changes secrets, one fails with a secret."""


def planted(vsn: str) -> dict[str, str | None]:
    """The files of a version."""
    texts = {
        "apps/tiny/app.toml": FILES["apps/tiny/app.toml"].replace(', "tiny_server"', ""),
        "apps/tiny/src/tiny/states.py": STATES.replace("CODE_CHANGE", CHANGES[vsn]).replace("BASIC", BASIC),
        "apps/tiny/src/tiny/faults.py": FAULTS,
        "apps/tiny/src/tiny/wire.py": WIRE,
        "apps/tiny/src/tiny/sup.py": SUP,
        "apps/tiny/src/tiny/app.py": APP + NOTE,
        "config/sys.toml": CONFIGURATION,
    }
    if vsn != "1.0":
        texts["apps/tiny/appup.toml"] = APPUP
    files = {path: re.sub(r"S(\d\d)", lambda found: secret(int(found[1])), text) for path, text in texts.items()}
    return {**files, "apps/tiny/src/tiny/server.py": None}
