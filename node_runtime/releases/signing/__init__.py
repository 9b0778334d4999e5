"""Signatures of releases in minisign's format: keys, the signed statement, and the check before the unpacking."""
