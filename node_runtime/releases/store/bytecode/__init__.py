"""Makes the bytecode files of a release when it is unpacked."""
