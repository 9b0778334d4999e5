import os


def crunch():
    return "@VSN@", os.getpid()
