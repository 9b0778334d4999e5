from enum import Enum


class Status(Enum):
    STARTED = "started"
    PAID = "paid"
