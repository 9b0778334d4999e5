"""A template of jinja2's PackageLoader changes, and no module does (jinja issue 1978, distillery issue 270)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == "page of a"
    for vsn in "bc":
        plan = node.plan(vsn)
        said = node.says(plan, r"\S*templates(/\S*)?|hello\.html")
        why = node.ends(vsn, process="box")
        assert why is None, f"{vsn} can't be reached: {why}"
        found = node.value()
        assert said or found == f"page of {vsn}", f"{vsn} is current, and shows the {found}; its plan warned of nothing"
        node.commit()
    node.remove("a")
    assert node.value() == found, f"a is removed, and then the page shows {node.probe().strip()}"
