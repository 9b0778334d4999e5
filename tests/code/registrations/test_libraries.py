"""Modules that register with prometheus_client, SQLAlchemy and pydantic are loaded again, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.projects.code_shop import App

pytest_plugins = ["tests.support.projects.code_shop"]

METRICS = """
    from prometheus_client import Counter
    REQUESTS = Counter("m_requests", "How many requests")
"""
CARRIED = """
    from prometheus_client import Counter
    __carry__ = ["REQUESTS"]
    {guard}REQUESTS = Counter("m_requests", "How many requests")
    ERRORS = Counter("m_errors", "How many errors")
"""


def exported() -> dict[str, float]:
    prometheus_client: Any = pytest.importorskip("prometheus_client")
    lines = prometheus_client.generate_latest().decode().splitlines()
    return {
        line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("m_") and "created" not in line
    }


def test_a_metric_is_registered_for_the_current_version(app: App) -> None:
    pytest.importorskip("prometheus_client")
    app.boot(m=METRICS)
    m: Any = __import__("m")
    m.REQUESTS.inc(3)
    app.prepare(m=METRICS + "    N = 1").discard()
    assert exported() == {"m_requests_total": 3}
    batch = app.prepare(m=METRICS + "    N = 2")
    assert any("list it in `__carry__`" in warning for warning in batch.warnings())
    batch.commit()
    assert exported() == {"m_requests_total": 0}
    batch.revert()
    assert exported() == {"m_requests_total": 3}
    app.load(m="N = 3")
    assert exported() == {}


@pytest.mark.parametrize("guard", ["", "if 'REQUESTS' not in globals(): "])
def test_a_carried_metric_stays_registered(app: App, guard: str) -> None:
    pytest.importorskip("prometheus_client")
    app.boot(m=METRICS)
    m: Any = __import__("m")
    m.REQUESTS.inc(3)
    app.prepare(m=CARRIED.format(guard=guard)).discard()
    assert exported() == {"m_requests_total": 3}
    batch = app.load(m=CARRIED.format(guard=guard))
    assert exported() == {"m_requests_total": 3, "m_errors_total": 0}
    batch.revert()
    assert exported() == {"m_requests_total": 3}
    app.load(m=CARRIED.format(guard=guard) + "    N = 2")
    app.load(m=CARRIED.format(guard=guard) + "    N = 3")
    assert exported() == {"m_requests_total": 3, "m_errors_total": 0}
    app.load(m="N = 4")
    assert exported() == {}


BASE = """
    from sqlalchemy import create_engine
    from sqlalchemy.orm import DeclarativeBase, sessionmaker
    from sqlalchemy.pool import StaticPool
    class Base(DeclarativeBase): ...
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Session = sessionmaker(engine)
"""
MODELS = """
    from sqlalchemy import ForeignKey
    from sqlalchemy.orm import Mapped, mapped_column, relationship
    from base import Base
    class Menu(Base):
        __tablename__ = "menu"
        {extend}
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        dishes: Mapped[list["Dish"]] = relationship(back_populates="menu")
    class Dish(Base):
        __tablename__ = "dish"
        {extend}
        id: Mapped[int] = mapped_column(primary_key=True)
        menu_id: Mapped[int] = mapped_column(ForeignKey("menu.id"))
        menu: Mapped["Menu"] = relationship(back_populates="dishes")
    def served(base):
        with base.Session() as session:
            menu = Menu(title="{title}")
            menu.dishes.append(Dish())
            session.add(menu)
            session.commit()
            return "{title}", session.query(Menu).count(), session.query(Dish).join(Menu).count()
"""


@pytest.mark.parametrize("extend", ["", '__table_args__ = {"extend_existing": True}'])
@pytest.mark.parametrize("used", [True, False])
def test_mapped_classes_of_a_base_that_stays_are_loaded_again(app: App, extend: str, used: bool) -> None:
    pytest.importorskip("sqlalchemy")
    app.boot(base=BASE, models=MODELS.format(title="a", extend=extend))
    base: Any = __import__("base")
    models: Any = __import__("models")
    base.Base.metadata.create_all(base.engine)
    tables = {**base.Base.metadata.tables}
    count = 0
    if used:
        assert models.served(base) == ("a", count := 1, 1)
    app.prepare(models=MODELS.format(title="b", extend=extend)).discard()
    assert {**base.Base.metadata.tables} == tables
    assert models.served(base) == ("a", count := count + 1, count)
    batch = app.prepare(models=MODELS.format(title="c", extend=extend))
    assert models.served(base) == ("a", count := count + 1, count)
    batch.commit()
    assert models.served(base) == ("c", count := count + 1, count)
    batch.revert()
    assert models.served(base) == ("a", count := count + 1, count)
    assert {**base.Base.metadata.tables} == tables
    for title in "def":
        app.load(models=MODELS.format(title=title, extend=extend))
        assert models.served(base) == (title, count := count + 1, count)
    base.engine.dispose()


VALIDATED = """
    from pydantic.v1 import BaseModel, validator
    class Order(BaseModel):
        number: int
        @validator("number")
        def positive(cls, value):
            return value + {n}
"""


def test_a_model_of_pydantic_1_with_a_validator_is_loaded_again(app: App) -> None:
    pytest.importorskip("pydantic.v1")
    app.boot(m=VALIDATED.format(n=1))
    m: Any = __import__("m")
    batch = app.load(m=VALIDATED.format(n=2))
    assert m.Order(number=1).number == 3
    batch.revert()
    assert m.Order(number=1).number == 2


RECEIVERS = """
    from django.core.signals import request_finished, request_started
    from django.dispatch import Signal, receiver
    calls = []
    @receiver([request_started, request_finished])
    def listen(sender, **kwargs): calls.append({number})
    @receiver(request_started, dispatch_uid="named")
    def named(sender, **kwargs): calls.append(-{number})
"""


def test_only_the_receivers_of_the_current_version_get_a_signal_of_django(app: App) -> None:
    pytest.importorskip("django")
    app.boot(m=RECEIVERS.format(number=1))
    m: Any = __import__("m")

    def answers() -> list[int]:
        m.calls.clear()
        m.request_started.send(None)
        m.request_finished.send(None)
        return sorted(m.calls)

    old = m.calls
    assert answers() == [-1, 1, 1]
    app.prepare(m=RECEIVERS.format(number=2)).discard()
    assert answers() == [-1, 1, 1]
    batch = app.load(m=RECEIVERS.format(number=2))
    old.clear()
    assert answers() == [-2, 2, 2]
    assert old == []
    batch.revert()
    assert answers() == [-1, 1, 1]
    app.load(m=RECEIVERS.format(number=3))
    assert answers() == [-3, 3, 3]
