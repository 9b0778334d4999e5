import sqlite3
from dataclasses import dataclass


@dataclass
class Job:
    name: str
    runs: int = 0
    owner: str = "nobody"


def connect():
    database = sqlite3.connect("@DATA@/jobs.db", isolation_level=None)
    database.execute("create table if not exists jobs (name text primary key, runs integer not null)")
    add_owner(database)
    return database


def add_owner(database):
    if "owner" not in [column[1] for column in database.execute("pragma table_info(jobs)")]:
        database.execute("alter table jobs add column owner text not null default 'nobody'")


def migrate():
    connect().close()


def read(database):
    return {row[0]: Job(*row) for row in database.execute("select name, runs, owner from jobs")}


def write(database, job):
    database.execute(
        "insert into jobs (name, runs, owner) values (?, ?, ?) "
        "on conflict (name) do update set runs = excluded.runs, owner = excluded.owner",
        (job.name, job.runs, job.owner),
    )
