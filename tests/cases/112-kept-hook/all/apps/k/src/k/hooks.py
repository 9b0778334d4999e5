import sys

VSN = "@VSN@"


def report(kind, error, trace):
    sys.__excepthook__(kind, error, trace)


def wake(number, frame):
    pass
