"""Texts about trust in releases: who has signed a release, and which releases a node accepts."""

from __future__ import annotations

from hotdash.model.styled_text import Line, Span, line, span
from hotdash.model.units import plural
from node_runtime.protocol import messages as m


def signature_words(signature: m.ReleaseSignature) -> str:
    """Return a clause that says who has signed a release: "signed by ana (0025B368129AD39C)"."""
    if signature.standing == "unsigned":
        return "unsigned"
    state = {"revoked": ", a revoked key", "unknown key": ", no longer a key of the node"}.get(signature.standing, "")
    return f"signed by {signature.signed_by} ({signature.key}{state})"


def trust_words(trust: m.ReleaseTrust) -> Span:
    """Return a clause that says which releases a node accepts. Its tone shows how risky that is."""
    if trust.error is not None:
        return span(f"no releases, because of an error: {trust.error}", "bad")
    if not trust.keys:
        return span("any release, because the node has no release keys", "muted")
    names = ", ".join(_key_words(key) for key in trust.keys)
    approvals = (
        f"; an install needs {trust.approvals} people: one stages, the others approve" if trust.approvals > 1 else ""
    )
    if trust.allow_unsigned:
        return span(f"UNSIGNED releases (allow_unsigned), and those signed by {names}{approvals}", "bad")
    return span(f"releases signed by {names}{approvals}", "ok")


def approval_lines(approval: m.Approval | None) -> list[Line]:
    """Return who has approved the install of a plan, and how many still have to; no lines if it needs no approval."""
    if approval is None:
        return []
    lines = [line("  Approved by ", span(", ".join(approval.approved_by), "name"), ".")] if approval.approved_by else []
    if not approval.missing:
        return [*lines, line(span("  No more approvals are needed.", "ok"))]
    people = "a person" if approval.missing == 1 else f"{approval.missing} people"
    needed = f"  The install needs the approval of {people} with a key other than {approval.first}:"
    if approval.approved_by:
        needed = f"  It also needs the approval of {people} with a key other than {approval.first}:"
    return [*lines, line(span(needed, "warn")), line(f"    → hotdash approve NODE {approval.vsn}")]


def approved_words(approval: m.Approval, node: str) -> str:
    """Return a sentence that says who has approved a release or a plan on `node`, and how many approvals it lacks."""
    subject = f"plan {approval.plan_id} to release {approval.vsn}" if approval.plan_id else f"release {approval.vsn}"
    left = f"{plural(approval.missing, 'more approval')} needed" if approval.missing else "no more approvals needed"
    return f"{subject} on {node} is approved by {', '.join(approval.approved_by)}: {left}."


def _key_words(key: m.ReleaseKeyInfo) -> str:
    role = "" if key.role == "release" else f", role {key.role}"
    until = "" if key.not_after is None else f", until {key.not_after}"
    return f"{key.name} ({key.id}{role}{until}{', revoked' if key.revoked is not None else ''})"
