"""Loads the certificate of a listener again when its files have changed; later handshakes use the new certificate."""

from __future__ import annotations

import logging
import os
from typing import Final

import uvicorn

logger: Final = logging.getLogger("node_runtime")


class CertificateFiles:
    """The files of the certificate and the key that the loaded configuration of a server names."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._config = config
        self._paths = [path for path in (config.ssl_certfile, config.ssl_keyfile) if path]
        self._seen = self._times()

    def reload_if_changed(self) -> None:
        """Load the files if they have changed. If that fails, log the error and keep the present certificate."""
        config = self._config
        if config.ssl is None or not config.ssl_certfile:
            return
        times = self._times()
        if times == self._seen:
            return
        self._seen = times
        try:
            config.ssl.load_cert_chain(config.ssl_certfile, config.ssl_keyfile, config.ssl_keyfile_password)
        except OSError as error:
            logger.error(
                "the changed certificate %s can't be used: %s; the previous certificate stays in use",
                config.ssl_certfile,
                error,
            )

    def _times(self) -> list[tuple[int, int]]:
        found = []
        for path in self._paths:
            try:
                status = os.stat(path)
            except OSError:
                found.append((0, 0))
            else:
                found.append((status.st_mtime_ns, status.st_ino))
        return found
