"""From a project's files to a running node's next version: build, verify, unpack, plan, install."""
