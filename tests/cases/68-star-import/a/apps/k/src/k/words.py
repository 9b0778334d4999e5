__all__ = ["greet"]


def greet():
    return "greet @VSN@"
