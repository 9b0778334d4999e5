"""The install of a release: executes a relup on the live node, or puts everything back."""
