import asyncio
import contextvars
import socket
import threading
import weakref
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Kept:
    pass


class Box(GenServer[dict]):
    def init(self):
        token = contextvars.ContextVar("token", default=1)
        return {
            "lock": threading.Lock(), "file": open("@DATA@/open", "w"), "pair": socket.socketpair(),
            "proxy": weakref.proxy(Kept()), "queue": asyncio.Queue(), "context": contextvars.copy_context(),
            "var": token, "token": token.set(2), "view": memoryview(bytearray(b"abc")), "event": asyncio.Event(),
        }

    def probe(self):
        self.state["pair"][0].send(b"x")
        self.state["queue"].put_nowait(1)
        return (
            self.state["pair"][1].recv(1), self.state["lock"].acquire(blocking=False), self.state["lock"].release(),
            self.state["queue"].get_nowait(), self.state["file"].write("x"), bytes(self.state["view"]),
        )

    @classmethod
    def code_change(cls, old, state, extra):
        return state


RELEASE = "@VSN@"
