"""One process in depth, as an outline, as facts and as a bug report."""
