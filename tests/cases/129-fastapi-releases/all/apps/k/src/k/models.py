from typing import Generic, TypeVar

from pydantic import BaseModel, field_validator

T = TypeVar("T")
VSN = "LATEST"


class Page(BaseModel, Generic[T]):
    items: list[T]


class Item(BaseModel):
    name: str
    # fields

    @field_validator("name")
    @classmethod
    def named(cls, value: str) -> str:
        return f"{value} {VSN}"
