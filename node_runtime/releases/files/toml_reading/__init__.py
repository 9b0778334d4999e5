"""Reads TOML files into typed structs, with errors that name file, line and expected value."""
