import traceback

from k import box
from node_runtime import call
from node_runtime.web import PlainTextResponse


async def probe(request):
    try:
        return PlainTextResponse(repr(await call(box.NAME, box.Box.probe)) + "\n")
    except BaseException:
        return PlainTextResponse(traceback.format_exc(), status_code=500)
