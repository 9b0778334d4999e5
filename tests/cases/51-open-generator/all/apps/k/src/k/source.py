def numbers():
    n = 0
    while True:
        n += 1
        yield "@VSN@", n


async def letters():
    for letter in "abc":
        yield letter
