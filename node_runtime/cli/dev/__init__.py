"""`node-runtime dev`: runs a project from its sources, and upgrades the running node at each save."""
