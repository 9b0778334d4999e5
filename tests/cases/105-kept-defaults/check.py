"""Members of a replaced enumeration are defaults, attributes and keys of another module (armory issue 2301)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == [True] * 5
    plan = node.plan("b")
    told = node.says(plan, r"k\.paint", r"k\.shades", "let the appup load k.paint too")
    node.go("b")
    found = node.value()
    assert told or found == [True] * 5, f"the plan of b does not name k.paint, and then the page shows {found}"
    node.commit()
    plan = node.plan("c")
    assert not [one for one in plan["warnings"] if "k.paint" in one], "c loads k.paint, and its plan warns of it"
    why = node.ends("c", module="k.shades")
    assert why is None, f"c can't be reached: {why}"
    assert node.value() == [True] * 5, f"c loads k.paint as the plan of b advises, and shows {node.value()}"
