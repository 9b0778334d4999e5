"""`python -m hotdash` is the `hotdash` command."""

from .cli import main

main()
