"""A store that stays is annotated with the classes of a module that changes with each release, five times and back."""

VERSIONS = "abcdef"
FIELDS = ["votes: int = 0", "closed: bool = False", "tags: tuple = ()", "owner: str = 'ann'", "weight: float = 1.0"]


def project(folder, vsn):
    """Each version adds a field to the class Poll, and loads only the module of this class."""
    number = VERSIONS.index(vsn)
    file = folder / "apps/k/src/k/polls.py"
    fields = "".join(f"    {one}\n" for one in FIELDS[:number])
    file.write_text(file.read_text().replace("    title: str\n", f"    title: str\n{fields}"))


def check(node):
    assert node.value("add") == ["the first"] * 2
    for vsn in VERSIONS[1:]:
        plan = node.plan(vsn)
        assert not plan["blockers"], f"{vsn} is refused: {plan['blockers'][0]['reason']}"
        go_and_look(node, "upgrade", vsn)
    for vsn in reversed(VERSIONS[:-1]):
        go_and_look(node, "downgrade", vsn)


def go_and_look(node, verb, vsn):
    done = node.hotdash(verb, node.name, vsn, "--yes", "-o", "json") if verb == "downgrade" else node.upgrade(vsn)
    assert done.rc == 0, f"the {verb} to {vsn} fails: {done.last}"
    node.commit()
    assert node.value("titles") == ["the first"] * 2, f"{vsn}: the store has lost its polls"
    old = node.value("old")
    assert old == [], f"{vsn}: annotations name the former class: {old}"
