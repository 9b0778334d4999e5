"""`python -m hotdash` is the `hotdash` command."""

from hotdash.cli import main

main()
