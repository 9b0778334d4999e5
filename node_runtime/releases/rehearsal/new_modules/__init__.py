"""The bodies of new modules in a rehearsal: what they do, what they open, and which data they replace."""
