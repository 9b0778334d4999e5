"""`hotdash deploy`: from a project's folder to a committed upgrade of a node."""

from .deploy_command import deploy

VERBS = (deploy,)
