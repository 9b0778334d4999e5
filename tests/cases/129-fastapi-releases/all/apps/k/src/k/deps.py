from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Header, Query

VSN = "LATEST"


class Settings:
    vsn = VSN


@lru_cache
def settings() -> Settings:
    return Settings()


def session():
    yield VSN


async def user(session: Annotated[str, Depends(session)], x_user: Annotated[str, Header()] = "ann"):
    return f"{x_user} {session}"


class Paging:
    def __init__(self, limit: Annotated[int, Query(ge=1)] = 10):
        self.limit, self.vsn = limit, VSN


User = Annotated[str, Depends(user)]
Current = Annotated[Settings, Depends(settings)]
