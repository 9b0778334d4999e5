"""Sites under load while they are upgraded: `python -m benchmarks.load`."""
