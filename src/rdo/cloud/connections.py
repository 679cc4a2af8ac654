"""Connections that notice when a host is gone: what pyinfra and paramiko leave out for it."""

from __future__ import annotations

import os
import select
import socket

from paramiko import ProxyCommand, Transport
from pyinfra.api.host import Host

_KEEPALIVE = 10
_GIVEN_UP = 60
"""Seconds: how often something is sent where nothing else is; after how long without an answer it is over."""


def mend_proxies() -> None:
    """Let connections through a ``ProxyCommand`` end when that command ends.

    Paramiko's own loop reads from a pipe at its end over and over, and whoever waits for an answer waits for
    good (paramiko/proxy.py, ``ProxyCommand.recv``): a host that was restarted would stop everything.
    """
    ProxyCommand.recv = _receive  # type: ignore[method-assign]


def watch(host: Host) -> None:
    """Have a connection end, rather than wait for good, when its host is gone."""
    transport: Transport = host.connector.client.get_transport()
    transport.set_keepalive(_KEEPALIVE)
    if isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GIVEN_UP * 1000)


def _receive(self: ProxyCommand, size: int) -> bytes:
    assert self.process.stdout is not None
    ready, _, _ = select.select([self.process.stdout], [], [], self.timeout)
    if not ready:
        raise TimeoutError
    # empty at the end of the command, as a socket's is
    return os.read(self.process.stdout.fileno(), size)
