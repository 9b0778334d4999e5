"""The bodies of new modules in a rehearsal: their actions, what they open, and the data that they replace."""
