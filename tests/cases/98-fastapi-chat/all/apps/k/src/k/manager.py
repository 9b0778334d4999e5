from k.models import Message

__carry__ = ["manager"]


class ConnectionManager:
    def __init__(self):
        self.active = []
        self.history: list[Message] = []

    async def connect(self, websocket):
        await websocket.accept()
        self.active.append(websocket)

    def disconnect(self, websocket):
        self.active.remove(websocket)

    async def broadcast(self, message):
        self.history.append(message)
        for websocket in list(self.active):
            await websocket.send_json(message.model_dump())


manager = ConnectionManager()
