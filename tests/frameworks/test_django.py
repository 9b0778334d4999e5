"""A Django project behind a listener: its views and URLs are upgraded hot, its models and settings are not."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from node_runtime import application, web
from tests.support.web.http_client import Client

if TYPE_CHECKING:
    from tests.support.nodes.small_node import SmallNode

SETTINGS = """
SECRET_KEY = "for tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "mysite.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "polls"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING_CONFIG = None
USE_TZ = True
"""
ASGI = """
import os
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_asgi_application()
"""
ROOT_URLS = """
from django.urls import include, path

urlpatterns = [path("polls/", include("polls.urls"))]
"""
URLS = """
from django.urls import path
from . import views

app_name = "polls"
urlpatterns = [path("", views.index, name="index"), path("<int:poll_id>/", views.Detail.as_view(), name="detail")]
"""
MODELS = """
from django.db import models

class Poll(models.Model):
    question = models.CharField(max_length=200)
"""
VIEWS = """
from django.http import HttpResponse
from django.urls import reverse
from django.views import View
from .models import Poll

VSN = "1"

def index(request):
    return HttpResponse(f"{VSN} {Poll._meta.label} {reverse('polls:detail', args=[7])}")

class Detail(View):
    async def get(self, request, poll_id):
        return HttpResponse(f"{VSN} poll {poll_id}")
"""
PROJECT = {
    "mysite.settings": SETTINGS,
    "mysite.asgi": ASGI,
    "mysite.urls": ROOT_URLS,
    "polls.urls": URLS,
    "polls.models": MODELS,
    "polls.views": VIEWS,
}


def write(small: SmallNode, vsn: str, changed: dict[str, str], *loaded: str, before: str = "") -> None:
    """Write a release of the project with these changed modules, whose upgrade loads the modules `loaded`."""
    steps = ", ".join(f'{{ load_module = "{module}" }}' for module in loaded)
    ways = f'[[up]]\nfrom = "{before}"\ninstructions = [{steps}]\n[[down]]\nto = "{before}"\ninstructions = [{steps}]\n'
    small.write(vsn, PROJECT | changed, ways if before else "")


@pytest.fixture
async def site(small: SmallNode) -> AsyncIterator[SmallNode]:
    """Release 1 of the project, which a listener serves."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == "django":
            del sys.modules[name]  # Django can be set up once
    write(small, "1", {})
    small.boot()
    application.load(web.APPLICATION)
    await application.start("web")
    await web.start_asgi("site", "mysite.asgi:application", port=0)
    yield small
    await application.stop("web")


@pytest.fixture
def client(site: SmallNode) -> Iterator[Client]:
    one = Client(web.port("site"))
    yield one
    one.close()


async def test_views_and_urls_are_upgraded_twice_and_the_rest_is_refused(site: SmallNode, client: Client) -> None:
    assert await client.get("/polls/") == (200, "1 polls.Poll /polls/7/")
    assert await client.get("/polls/7/") == (200, "1 poll 7")
    views, urls = VIEWS.replace('VSN = "1"', 'VSN = "2"'), URLS.replace("<int:poll_id>/", "by-id/<int:poll_id>/")
    write(site, "2", {"polls.views": views}, "polls.views", "polls.urls", before="1")
    write(site, "3", {"polls.views": views, "polls.urls": urls}, "polls.urls", before="2")
    site.new_handler("1")
    plan = await site.handler.plan("2")
    assert (plan.blockers, plan.lost) == ((), ())
    done = await site.install("2")
    assert done.outcome == "installed", done.error
    assert await client.get("/polls/") == (200, "2 polls.Poll /polls/7/")
    assert await client.get("/polls/7/") == (200, "2 poll 7")
    done = await site.install("3")
    assert done.outcome == "installed", done.error
    assert await client.get("/polls/") == (200, "2 polls.Poll /polls/by-id/7/")
    assert await client.get("/polls/by-id/7/") == (200, "2 poll 7")
    assert (await client.get("/polls/7/"))[0] == 404
    assert (await site.install("2")).outcome == "installed"
    assert await client.get("/polls/") == (200, "2 polls.Poll /polls/7/")
    assert (await client.get("/polls/by-id/7/"))[0] == 404


REFUSED = {
    "models": ({"polls.models": MODELS + "    votes = models.IntegerField(default=0)\n"}, "polls.models", "--cold"),
    "settings": ({"mysite.settings": SETTINGS + "APPEND_SLASH = False\n"}, "mysite.settings", "--cold"),
    "views without URLs": (
        {"polls.views": VIEWS.replace('"1"', '"2"')},
        "polls.views",
        "let the appup load polls.urls too",
    ),
}


@pytest.mark.parametrize(("changed", "module", "remedy"), REFUSED.values(), ids=REFUSED)
async def test_what_django_reads_once_is_refused_with_a_remedy(
    site: SmallNode, client: Client, changed: dict[str, str], module: str, remedy: str
) -> None:
    assert await client.get("/polls/") == (200, "1 polls.Poll /polls/7/")
    write(site, "2", changed, module, before="1")
    site.new_handler("1")
    [blocker] = (await site.handler.plan("2")).blockers
    assert module in blocker.reason
    assert remedy in blocker.remedy
    assert (await site.install("2")).outcome == "aborted"
    assert await client.get("/polls/") == (200, "1 polls.Poll /polls/7/")
