"""The releases in a node directory: reads and unpacks tarballs, verifies files, and keeps the commit record."""
