__all__ = ["greet", "part"]


def greet():
    return "greet @VSN@"


def part():
    return "part @VSN@"
