"""The install of a release: runs a relup's script on the live node, or undoes all of it after a failure."""
