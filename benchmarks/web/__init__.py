"""The listeners beside plain uvicorn, and two workers of a node beside one: `python -m benchmarks.web`."""
