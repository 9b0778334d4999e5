"""Access to the pages of `hotdash serve`: a link works once, and a browser exchanges it for a session cookie."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LINK_SECONDS = 600.0
"""Seconds for which a link can be opened."""
SESSION_SECONDS = 12 * 3600.0
"""Seconds for which a session lasts."""
MAX_SESSIONS = 32
"""The maximum number of sessions; a new session replaces the oldest one."""
TOKEN_BYTES = 32


@dataclass
class Access:
    """The one link that can be opened now, and the sessions. `origin` is the only origin of the pages."""

    origin: str
    clock: Callable[[], float] = time.monotonic
    _token: str = ""
    _token_ends: float = 0.0
    _sessions: dict[str, float] = field(default_factory=dict)

    @property
    def secure(self) -> bool:
        """Whether browsers reach the pages by HTTPS, so that they must send the session cookie only by HTTPS."""
        return self.origin.startswith("https://")

    @property
    def host(self) -> str:
        """The value that the header Host must have."""
        return self.origin.partition("://")[2]

    @property
    def cookie_name(self) -> str:
        """The name of the session cookie. A browser sends cookies to all ports of a host, so the name has the port."""
        return f"hotdash-{self.host.rpartition(':')[2]}"

    def new_link(self) -> str:
        """Return a link that works once; an earlier link that was not opened no longer works."""
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._token_ends = self.clock() + LINK_SECONDS
        return f"{self.origin}/enter?token={self._token}"

    def enter(self, token: str) -> str | None:
        """Exchange the token of the link for a new session; None if the token is not valid any more."""
        valid = bool(self._token) and hmac.compare_digest(token.encode(), self._token.encode())
        if not valid or self.clock() > self._token_ends:
            return None
        self._token = ""
        session = secrets.token_urlsafe(TOKEN_BYTES)
        self._sessions[session] = self.clock() + SESSION_SECONDS
        while len(self._sessions) > MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return session

    def is_session(self, cookie: str) -> bool:
        """Return whether `cookie` is the cookie of a session that has not ended."""
        known = [session for session in self._sessions if hmac.compare_digest(session.encode(), cookie.encode())]
        return bool(known) and self.clock() <= self._sessions[known[0]]

    def refusal(self, host: str, origin: str | None, *, origin_required: bool) -> str:
        """Return why a request with these headers is refused, or an empty text if it is allowed.

        The headers are checked because a page of another site can make a browser send requests to this server. If the
        site's host name resolves to this address, the header Host has that name. Browsers send the header Origin with
        each websocket and with each request from another site.
        """
        if host != self.host:
            return f"This server answers only at {self.origin}."
        if origin is None and not origin_required:
            return ""
        return "" if origin == self.origin else "Requests from other sites are refused."
