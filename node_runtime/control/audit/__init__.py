"""The audit log of a node: a chain of entries in files, anchored where the node's OS user can't write."""

from .audit_log import AuditLog, open_audit_log
from .entries import node_entry
from .local_changes import audited
from .refusals import Refusals
from .verification import verify

__all__ = ["AuditLog", "Refusals", "audited", "node_entry", "open_audit_log", "verify"]
