"""The releases in a node directory: tarballs, unpacking, verification and the commit record."""
