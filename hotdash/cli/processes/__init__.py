"""The verbs about processes: they list, inspect, record, suspend, restart and kill them."""
