"""Signatures of releases in minisign's format: keys, the statement that is signed, and its check before unpacking."""
