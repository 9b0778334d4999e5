"""A room: who is in it, what was said, and its topic."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hub import statistics
from hub.models import Message
from node_runtime import DOWN, Down, GenServer, Pid, Vsn, cast, gen_server, monitor
from node_runtime.web import WebSocketHandler

KEPT_MESSAGES = 500


@dataclass(slots=True)
class State:
    """The members by the pids of their websockets, the last messages, and the topic."""

    name: str
    members: dict[Pid, str] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    count: int = 0
    topic: str = ""
    headline: str = ""


async def start_link(name: str) -> Pid:
    """Start the process of a room."""
    return await gen_server.start_link(Room, name, name=f"room {name}")


def headline_of(topic: str) -> str:
    """Return the first word of a topic, in capitals."""
    return topic.split()[0].upper()


class Room(GenServer[State]):
    """The process of a room. It monitors its members, so it learns of every end."""

    def init(self, name: str) -> State:
        return State(name)

    def join(self, pid: Pid, user: str) -> list[Message]:
        """Let a websocket join. Return the last messages; all later ones are sent to it."""
        monitor(pid)
        self.state.members[pid] = user
        self._tell(self._presence())
        return self.state.messages

    def say(self, user: str, text: str) -> None:
        """Keep a message, and send it to everybody. A message "/topic …" sets the topic instead."""
        if text.startswith("/topic "):
            self.state.topic = text.removeprefix("/topic ")
            self.state.headline = headline_of(self.state.topic)
            self._tell({"kind": "topic", "topic": self.state.headline})
            return
        statistics.said()
        self.state.count += 1
        message = Message(number=self.state.count, user=user, text=text, mentions=re.findall(r"@(\w+)", text))
        self.state.messages = [*self.state.messages, message][-KEPT_MESSAGES:]
        self._tell({"kind": "message", **message.model_dump()})

    def messages(self) -> list[Message]:
        """Return the last messages."""
        return self.state.messages

    def handle_info(self, message: Any) -> None:
        """A member has left."""
        if isinstance(message, DOWN) and self.state.members.pop(message.pid, None) is not None:
            self._tell(self._presence())

    def _presence(self) -> dict[str, Any]:
        return {"kind": "presence", "members": sorted(Counter(self.state.members.values()))}

    def _tell(self, news: dict[str, Any]) -> None:
        text = json.dumps(news)
        for pid in self.state.members:
            cast(pid, WebSocketHandler.send_text, text)

    @classmethod
    def code_change(cls, old_vsn: Vsn | Down, state: Any, extra: Any) -> Any:
        """A room gains a headline. Most rooms have no topic, so this fails: the mistake that the rehearsal finds."""
        if isinstance(old_vsn, Down):
            return old_vsn.target.State(state.name, state.members, state.messages, state.count, state.topic)
        headline = headline_of(state.topic)
        return State(state.name, state.members, state.messages, state.count, state.topic, headline)
