"""A body makes its metrics without a guard, as most programs do (prometheus client_python issue 626)."""


def check(node):
    def metrics():
        return {line.split()[0]: float(line.split()[1]) for line in node.value()}

    assert metrics() == {"k_calls_total": 1.0}
    for _ in range(2):
        node.plan("b")
    assert metrics() == {"k_calls_total": 2.0}, "plans, which should touch nothing, have touched the metrics"
    why = node.ends("b", process="box", module="k.metrics")
    assert why is None, f"b can't be reached, and nothing that its plan names helps: {why}"
    found = metrics()
    assert set(found) == {"k_calls_total", "k_depth"}, f"b exports {sorted(found)}"
