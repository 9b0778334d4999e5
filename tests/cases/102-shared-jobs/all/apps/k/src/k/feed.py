import asyncio


async def feed(jobs):
    while True:
        jobs.append(len(jobs))
        await asyncio.sleep(0.05)
