from prometheus_client import Counter, Gauge

CALLS = Counter("k_calls", "How many calls")
DEPTH = Gauge("k_depth", "How deep")
