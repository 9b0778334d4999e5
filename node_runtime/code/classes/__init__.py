"""Comparing the definitions of two versions of a module, and reusing unchanged classes."""
