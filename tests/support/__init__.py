"""Nodes, projects, peers and waits that several tests use."""
