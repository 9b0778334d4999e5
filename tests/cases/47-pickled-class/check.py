"""A process pickles an instance of a class whose module was loaded anew (ipython issue 11588, dill issue 157)."""

VERSIONS = "abc"


def check(node):
    assert node.value() == "a 3"
    node.holds("b", "'b 3'", "Job", process="box", module="k.job", then="c")
