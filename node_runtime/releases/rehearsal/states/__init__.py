"""Checks that processes can continue in the new code with the states that they have then."""
