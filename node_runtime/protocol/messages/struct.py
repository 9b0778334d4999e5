"""What every wire struct is, and the words that stand in many of them."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["viewer", "operator"]
Kind = Literal["gen_server", "gen_statem", "supervisor", "application", "process", "task"]
Status = Literal["idle", "running", "suspended", "zombie"]
ReleaseStatus = Literal["unpacked", "current", "permanent", "old"]
Verdict = Literal["good", "bad", "unknown"]
Direction = Literal["up", "down"]


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Base of every wire struct."""
