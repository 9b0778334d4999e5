from sqlalchemy import Column, Integer, String, Table

from k.meta import metadata

dishes = Table(
    "dishes", metadata, Column("id", Integer, primary_key=True), Column("name", String), Column("price", Integer)
)
