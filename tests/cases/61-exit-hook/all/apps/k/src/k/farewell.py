import atexit


def leave():
    with open("@DATA@/ends", "a") as file:
        file.write("@VSN@ ")


atexit.register(leave)
