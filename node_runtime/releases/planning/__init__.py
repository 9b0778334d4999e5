"""The parts of a plan: the processes that an upgrade affects, and the conditions that block it."""
