"""A shop on FastAPI changes models, dependencies and routes in five releases, and goes back (fastapi's own caches)."""

import json

VERSIONS = "abcdef"
CHANGED = {"b": ("models",), "c": ("deps",), "d": ("items",), "e": ("models", "deps"), "f": ("models", "deps", "items")}
NAMES = ("models", "deps", "items", "site")
FIELDS = ["price: int = 3", "tags: list[str] = []", "note: str | None = None", "weight: float = 1.0", "last: int = 0"]


def project(folder, vsn):
    """Each version changes modules of those before it; the modules that use them are loaded, too."""
    number = VERSIONS.index(vsn)
    for name in NAMES:
        latest = max(n for n in range(number + 1) if n == 0 or name in CHANGED[VERSIONS[n]])
        file = folder / f"apps/k/src/k/{name}.py"
        fields = "".join(f"    {one}\n" for one in FIELDS[:latest])
        file.write_text(file.read_text().replace("    # fields\n", fields).replace("LATEST", VERSIONS[latest]))
    if number:
        loaded = [name for name in NAMES if name in (*CHANGED[vsn], "items", "site")]
        steps = [
            f'{{ load_module = "k.{name}", deps = {[f"k.{one}" for one in loaded[:place]]} }}'
            for place, name in enumerate(loaded)
        ]
        both, before = f"instructions = [ {', '.join(steps)} ]", VERSIONS[number - 1]
        text = f'vsn = "{vsn}"\n[[up]]\nfrom = "{before}"\n{both}\n[[down]]\nto = "{before}"\n{both}\n'
        (folder / "apps/k/appup.toml").write_text(text)


def check(node):
    use(node, "a")
    for vsn in VERSIONS[1:]:
        plan = node.plan(vsn)
        assert not plan["blockers"], f"{vsn} is refused: {plan['blockers'][0]['reason']}"
        node.go(vsn)
        node.commit()
        use(node, vsn)
    for vsn in reversed(VERSIONS[:-1]):
        done = node.hotdash("downgrade", node.name, vsn, "--yes", "-o", "json")
        assert done.rc == 0, f"the downgrade to {vsn} fails: {done.last}"
        node.commit()
        use(node, vsn)


def use(node, vsn):
    """The pages show the version of each module."""
    wanted = {name: latest(name, vsn) for name in NAMES[:3]}
    found = json.loads(node.probe("items/versions"))
    assert found == wanted, f"{vsn}: the pages show {found}"
    page = json.loads(node.probe("items/"))
    assert page["items"][0]["name"] == f"tea {wanted['models']}", f"{vsn}: the list shows {page}"


def latest(name, vsn):
    number = VERSIONS.index(vsn)
    return VERSIONS[max(n for n in range(number + 1) if n == 0 or name in CHANGED[VERSIONS[n]])]
