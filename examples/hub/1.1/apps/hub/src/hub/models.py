"""What people send, and what rooms send and keep."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Said(BaseModel):
    """What a member sends."""

    text: str = Field(min_length=1, max_length=2000)


class Message(BaseModel):
    """What a room keeps, and sends to its members."""

    number: int
    user: str
    text: str
    mentions: list[str] = []
