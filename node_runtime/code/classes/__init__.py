"""Compares the definitions of two versions of a module, and reuses unchanged classes."""
