"""Reads the files of projects and releases into typed values, with their limits and validation errors."""
