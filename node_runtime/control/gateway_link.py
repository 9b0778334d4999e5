"""The node's link to its gateway: starts and restarts the gateway, and exchanges messages over a socket, the seam.

While the gateway is down, the node continues, but nobody can connect to the node. Clients reconnect by themselves, and
have to subscribe again: their subscriptions ended with the gateway.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, assert_never

import msgspec

from node_runtime.protocol.exit_codes import Refused
from node_runtime.protocol.key_ring import KeyRing

from .gateway.limits import GatewayLimits
from .gateway.seam import (
    MAX_SEAM_MESSAGE_BYTES,
    Announce,
    CannotListen,
    Configure,
    FromGateway,
    GatewayReport,
    Gone,
    KnownKeys,
    Listening,
    LoginsRefused,
    Ping,
    Pong,
    Received,
    Seam,
    SeamClosed,
    SeamError,
    SeamHello,
    SeamMessage,
    StopGateway,
)
from .gateway_process import END_SECONDS, GatewayProcess

START_SECONDS: Final = 30.0
"""Seconds that the gateway has from its start until it listens."""
CLOSE_SECONDS: Final = 5.0
"""Seconds for which the node still reads from a gateway that it stops. Then the gateway has `END_SECONDS` to end."""
STABLE_SECONDS: Final = 30.0
"""A gateway that ends after listening for this many seconds is replaced at once; otherwise there is a growing pause."""
FIRST_PAUSE_SECONDS: Final = 0.5
MAX_PAUSE_SECONDS: Final = 15.0
PINGS: Final = 4
"""The number of pings sent within `GatewayLimits.max_answer_seconds`. A gateway that answers none of them is ended."""
MAX_UNSENT_BYTES: Final = 2 * MAX_SEAM_MESSAGE_BYTES
"""Maximum number of bytes that wait for the gateway to read them. If more wait, the node ends the gateway as stuck."""
MAX_UNSENT_EVENT_BYTES: Final = 4 << 20
"""If more bytes than this wait for the gateway to read them, the node sends it no event."""

logger: Final = logging.getLogger("node_runtime.control.gateway")
"""This is not the logger `node_runtime.control`, because the records of that logger do not become events.

All records are warnings: a client can cause them, and an error would count against a release on probation.
"""


class GatewayCallbacks(msgspec.Struct, frozen=True):
    """The functions that the link calls, in the thread that calls the link."""

    on_request: Callable[[Received], None]
    on_gone: Callable[[bytes], None]
    on_logins_refused: Callable[[str, bytes, int], None]


class GatewayLink:
    """The link of one node to its gateway. After `open`, only the control thread may use it.

    `later(seconds, task)` calls `task()` in that thread. `ring` has the keys of the clients.
    """

    def __init__(
        self,
        secret_key: bytes,
        ring: KeyRing,
        callbacks: GatewayCallbacks,
        later: Callable[[float, Callable[[], None]], None],
        limits: GatewayLimits,
    ) -> None:
        self._secret_key = secret_key
        self._ring = ring
        self._callbacks = callbacks
        self._later = later
        self._limits = limits
        self._process: GatewayProcess | None = None
        self._seam: Seam[FromGateway] | None = None
        self._host, self._port = "", 0
        self._listens = False
        self._listens_since = 0.0
        self._arrived: list[FromGateway] = []
        self._restarts = 0
        self._unanswered = 0
        self._ended = ""
        """A clause that says how the last gateway ended; empty before the first end."""

    # ------------------------------------------------------------------ start and end

    def open(self, host: str, port: int) -> int:
        """Start the gateway and wait until it listens; return the port. Raises Refused."""
        self._host, self._port = host, port
        deadline = time.monotonic() + START_SECONDS
        try:
            seam = self._start()
            while not self._listens:
                if not select.select([seam], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise SeamError(f"it has not answered for {START_SECONDS:g} s")
                for message in seam.take():
                    self._handle_first(message)
        except (OSError, SeamError) as error:
            raise Refused(
                f"The process that holds the control socket did not start ({error}); see the node's log."
            ) from None
        finally:
            if not self._listens:
                self.close()
        return self._port

    def _handle_first(self, message: FromGateway) -> None:
        """Handle a message that arrives before the gateway listens; store later messages for the control thread."""
        if self._listens:
            self._arrived.append(message)
        else:
            self._handle(message)

    def close(self) -> None:
        """Stop the gateway, which first sends its pending messages.

        The last reports of the gateway are read until the gateway closes the seam. Takes at most about `CLOSE_SECONDS`
        and two times `END_SECONDS`, whatever the gateway does.
        """
        process, seam = self._process, self._seam
        self._process = self._seam = None
        if process is None or seam is None:
            return
        with suppress(SeamError):
            seam.put(StopGateway())
            seam.flush()
            deadline = time.monotonic() + CLOSE_SECONDS
            while seam.unsent and time.monotonic() < deadline and select.select([], [seam], [], END_SECONDS)[1]:
                seam.flush()
            while time.monotonic() < deadline and select.select([seam], [], [], END_SECONDS)[0]:
                for message in seam.take():
                    if isinstance(message, LoginsRefused):
                        self._handle(message)
        process.wait()

    def _start(self) -> Seam[FromGateway]:
        self._listens = False
        self._process = GatewayProcess()
        self._seam = Seam(self._process.connection, FromGateway)
        self._seam.put(Configure(self._host, self._port, self._secret_key, self._ring, self._limits))
        with suppress(SeamError):  # the gateway has ended already: the next read raises the error again
            self._seam.flush()
        return self._seam

    # ------------------------------------------------------------------ the control thread's poll

    def interest(self) -> tuple[int, int] | None:
        """Return the descriptor to poll, and the events to wait for; None while no gateway runs."""
        if self._seam is None:
            return None
        return self._seam.fileno(), select.POLLIN | (select.POLLOUT if self._seam.unsent else 0)

    def exchange(self) -> None:
        """Handle the messages that have arrived."""
        if self._seam is None:
            return
        try:
            arrived, self._arrived = self._arrived, []
            for message in (*arrived, *self._seam.take()):
                self._handle(message)
        except SeamError as error:
            self._end(error)

    # ------------------------------------------------------------------ messages to the gateway

    def send(self, message: SeamMessage) -> bool:
        """Send a message at the next `flush`; return False if no gateway listens."""
        if self._seam is None or not self._listens:
            return False
        self._seam.put(message)
        if self._seam.unsent > MAX_UNSENT_BYTES:
            self._end(SeamError(f"it has not read {self._seam.unsent:,} bytes"))
        return self._seam is not None

    def announce(self, body: bytes) -> None:
        """Send an event to all subscribers, unless the gateway is too slow for events."""
        if self._seam is not None and self._seam.unsent <= MAX_UNSENT_EVENT_BYTES:
            self.send(Announce(body))

    def set_keys(self, ring: KeyRing) -> None:
        """From now on, accept only clients with a key of `ring`."""
        self._ring = ring
        self.send(KnownKeys(ring))

    def set_secret_key(self, secret_key: bytes) -> None:
        """Use the new secret key of the node. The gateway has to start again, so all clients are disconnected."""
        self._secret_key = secret_key
        if self._process is not None:
            self._end(SeamError("it had to end, because the node's own key was replaced"))

    def flush(self) -> None:
        """Send the pending messages in as few system calls as possible: each call gives up the interpreter's lock."""
        if self._seam is None:
            return
        try:
            self._seam.flush()
        except SeamError as error:
            self._end(error)

    # ------------------------------------------------------------------ messages from the gateway

    def _handle(self, message: FromGateway) -> None:
        match message:
            case Received():
                self._callbacks.on_request(message)
            case Gone():
                self._callbacks.on_gone(message.routing_id)
            case LoginsRefused():
                self._callbacks.on_logins_refused(message.address, message.key, message.count)
            case GatewayReport():
                logger.warning("%s", message.sentence)
            case Listening():
                self._port, self._listens, self._listens_since = message.port, True, time.monotonic()
                self._unanswered = 0
                self._ping_later()
                if self._ended:
                    logger.warning("%s; it was started again, and clients can connect again", self._ended)
            case CannotListen():
                if not self._ended:
                    raise Refused(message.sentence)
                logger.warning("%s; it can't listen: %s", self._ended, message.sentence)
            case Pong():
                self._unanswered = 0
            case SeamHello():
                raise SeamError("it sent a second hello")
            case _:
                assert_never(message)

    # ------------------------------------------------------------------ a gateway that does not answer

    def _ping_later(self) -> None:
        self._later(self._limits.max_answer_seconds / PINGS, partial(self._ping, self._process))

    def _ping(self, process: GatewayProcess | None) -> None:
        """Send another ping, or end the gateway after too many without an answer; pauses of the machine don't count."""
        if process is None or process is not self._process:
            return
        if self._unanswered >= PINGS:
            self._end(SeamError(f"it has not answered for {self._limits.max_answer_seconds:g} s"))
        elif self.send(Ping()):
            self._unanswered += 1
            self._ping_later()

    # ------------------------------------------------------------------ restart

    def _end(self, error: SeamError) -> None:
        """End the gateway, if it has not ended by itself, and start it again."""
        process, listened = self._process, self._listens
        assert process is not None
        self._process = self._seam = None
        self._listens = False
        self._arrived = []
        if not isinstance(error, SeamClosed):
            process.kill()
        self._ended = f"The process that holds the control socket ended {process.wait()} ({error})"
        if listened and time.monotonic() - self._listens_since > STABLE_SECONDS:
            self._restarts = 0
        self._restart_later()

    def _restart_later(self) -> None:
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (self._restarts - 1), MAX_PAUSE_SECONDS) if self._restarts else 0.0
        self._restarts += 1
        if pause:
            logger.warning("%s; it is started again in %g s", self._ended, pause)
        self._later(pause, self._restart)

    def _restart(self) -> None:
        try:
            self._start()
        except OSError as error:
            self._ended = f"The process that holds the control socket can't be started ({error})"
            self._restart_later()
        else:
            self._later(START_SECONDS, partial(self._require_listening, self._process))

    def _require_listening(self, process: GatewayProcess | None) -> None:
        if process is not None and process is self._process and not self._listens:
            process.kill()
