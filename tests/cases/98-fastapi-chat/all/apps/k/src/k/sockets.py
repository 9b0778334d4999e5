from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from k import ticker
from k.manager import manager
from k.models import Message

app = FastAPI(lifespan=ticker.lifespan)


@app.websocket("/ws/{user}")
async def talk(websocket: WebSocket, user: str):
    await manager.connect(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            await manager.broadcast(Message(user=user, text=text))
    except WebSocketDisconnect:
        pass
    finally:
        manager.disconnect(websocket)
