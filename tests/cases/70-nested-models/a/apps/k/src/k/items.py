from pydantic import BaseModel, field_validator


class Item(BaseModel):
    sku: str

    @field_validator("sku")
    @classmethod
    def tidy(cls, value):
        return value.strip()


class Cart(BaseModel):
    items: dict[str, list[Item]] = {}
