"""Plans: what an upgrade would do to the live node, and the conditions that block it."""
