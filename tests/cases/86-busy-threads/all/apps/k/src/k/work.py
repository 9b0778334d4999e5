import time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(2, thread_name_prefix="crunch")


def crunch():
    while True:
        time.sleep(0.05)


def start():
    pool.submit(crunch)
    return "started by @VSN@"
