import fcntl

__carry__ = ["held"]
if "held" not in globals():
    held = open("@DATA@/lock", "w")
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def vsn():
    return "@VSN@"
