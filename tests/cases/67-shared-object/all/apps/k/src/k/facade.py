from k.settings import store as shared


def count():
    shared.calls += 1
    return shared.calls
