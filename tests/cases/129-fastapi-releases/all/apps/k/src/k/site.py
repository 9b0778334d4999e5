from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from k import items

app = FastAPI()
app.include_router(items.router)


@app.exception_handler(LookupError)
async def missing(request: Request, error: LookupError):
    return JSONResponse({"error": str(error)}, status_code=404)
