import queue
import sqlite3
import threading

orders = queue.SimpleQueue()


def serve():
    database = sqlite3.connect("@DATA@/k.db")
    database.execute("create table if not exists hits (n integer)")
    while True:
        answer = orders.get()
        with database:
            database.execute("insert into hits values (1)")
        answer.put(database.execute("select count(*) from hits").fetchone()[0])


threading.Thread(target=serve, name="store", daemon=True).start()


def hit():
    answer = queue.SimpleQueue()
    orders.put(answer)
    return "@VSN@", answer.get(timeout=5)
