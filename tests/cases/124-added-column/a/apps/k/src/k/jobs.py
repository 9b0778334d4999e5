import sqlite3
from dataclasses import dataclass


@dataclass
class Job:
    name: str
    runs: int = 0


def connect():
    database = sqlite3.connect("@DATA@/jobs.db", isolation_level=None)
    database.execute("create table if not exists jobs (name text primary key, runs integer not null)")
    return database


def read(database):
    return {name: Job(name, runs) for name, runs in database.execute("select name, runs from jobs")}


def write(database, job):
    database.execute(
        "insert into jobs (name, runs) values (?, ?) on conflict (name) do update set runs = excluded.runs",
        (job.name, job.runs),
    )
