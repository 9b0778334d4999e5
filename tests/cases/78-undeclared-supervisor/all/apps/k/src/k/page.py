import traceback

from k import deep
from node_runtime import call
from node_runtime.web import PlainTextResponse


async def probe(request):
    try:
        seen = await call("deep", deep.Deep.probe)
    except BaseException:
        return PlainTextResponse(traceback.format_exc(), status_code=500)
    return PlainTextResponse(f"{seen!r}\n")
