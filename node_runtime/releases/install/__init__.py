"""The install of a release: runs a relup's script on the live node, and undoes it completely after a failure."""
