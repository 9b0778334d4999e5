from typing import Annotated

from fastapi import APIRouter, Depends

from k import deps, models
from k.deps import Current, Paging, User
from k.models import Item, Page

VSN = "LATEST"
router = APIRouter(prefix="/items")


@router.get("/versions")
async def versions(user: User, current: Current, paging: Annotated[Paging, Depends()]) -> dict[str, str]:
    assert user == f"ann {deps.VSN}"
    assert current.vsn == paging.vsn == deps.VSN
    return {"models": models.VSN, "deps": current.vsn, "items": VSN}


@router.get("/", response_model=Page[Item])
def listed(paging: Paging = Depends()):
    return Page[Item](items=[Item(name="tea")] * min(paging.limit, 2))


@router.post("/")
async def add(item: Item, user: User) -> Item:
    return item
