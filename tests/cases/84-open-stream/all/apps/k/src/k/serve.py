import uvicorn


async def run():
    server = uvicorn.Server(uvicorn.Config("k.api:app", port=int("@PORT@"), log_config=None))
    try:
        await server.serve()
    finally:
        if server.started:
            await server.shutdown()
