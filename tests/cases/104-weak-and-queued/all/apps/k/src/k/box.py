import asyncio
import datetime
import weakref

from k import session
from node_runtime import GenServer, gen_server


async def start_link():
    return await gen_server.start_link(Box, name="box")


class Box(GenServer[dict]):
    def init(self):
        sessions = [session.Session("one"), session.Session("two")]
        queue = asyncio.Queue()
        for one in sessions:
            queue.put_nowait(one)
        return {
            "sessions": sessions,
            "active": weakref.WeakSet(sessions),
            "by_name": weakref.WeakValueDictionary((one.name, one) for one in sessions),
            "queue": queue,
            "began": datetime.datetime(2026, 1, 2, tzinfo=session.Zone()),
        }

    def probe(self):
        state = self.state
        queued = [state["queue"].get_nowait() for _ in range(state["queue"].qsize())]
        for one in queued:
            state["queue"].put_nowait(one)
        known = [*state["active"], *state["by_name"].values(), *queued, *state["sessions"]]
        current = all(type(one) is session.Session for one in known) and type(state["began"].tzinfo) is session.Zone
        names = sorted(state["by_name"][one.name].name for one in queued)
        return session.VSN, current, len(state["active"]), names, state["began"].isoformat()[-6:]
