import fcntl

held = open("@DATA@/lock", "w")
fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)


def vsn():
    return "@VSN@"
