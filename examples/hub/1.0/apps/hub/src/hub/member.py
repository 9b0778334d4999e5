"""One member of a room: the process of one websocket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hub import directory
from hub.directory import Directory
from hub.models import Said
from hub.room import Room
from node_runtime import DOWN, call, cast, monitor, self_pid
from node_runtime.web import Handshake, Rejected, WebSocketHandler
from pydantic import ValidationError


@dataclass(slots=True)
class State:
    """Who it is, and the name of the room's process."""

    user: str
    room: str


class Member(WebSocketHandler[State]):
    """Passes on what the member says; the room sends to the member directly."""

    async def connected(self, request: Handshake) -> State:
        user, room = request.path_params["name"], request.path_params["room"]
        if not (user.isidentifier() and room.isidentifier()):
            raise Rejected(400, "Names have letters, digits and underscores only.\n")
        process = await call(directory.NAME, Directory.open_room, room)
        monitor(process)
        kept = await call(process, Room.join, self_pid(), user)
        self.send_text(json.dumps({"kind": "history", "messages": [message.model_dump() for message in kept]}))
        return State(user, process)

    async def handle_text(self, text: str) -> None:
        try:
            said = Said.model_validate_json(text)
        except ValidationError as error:
            self.send_text(json.dumps({"kind": "error", "text": error.errors()[0]["msg"]}))
            return
        if await directory.may_say(self.state.user):
            cast(self.state.room, Room.say, self.state.user, said.text)
        else:
            self.send_text(json.dumps({"kind": "error", "text": "You talk too fast."}))

    def handle_info(self, message: Any) -> None:
        """The room has crashed; it opens again when somebody connects."""
        if isinstance(message, DOWN):
            self.close(1012, "the room opens again")
