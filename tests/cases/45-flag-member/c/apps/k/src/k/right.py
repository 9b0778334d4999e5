from enum import Flag, auto


class Right(Flag):
    READ = auto()
    WRITE = auto()
    ERASE = auto()
    GRANT = auto()
