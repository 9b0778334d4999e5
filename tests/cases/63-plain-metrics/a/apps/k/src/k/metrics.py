from prometheus_client import Counter

CALLS = Counter("k_calls", "How many calls")
