"""Executing a relup on the live node, or putting everything back."""
