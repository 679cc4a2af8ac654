"""Joins its standard input and output to a TCP port within a network namespace: ssh's ProxyCommand.

``python -S -E proxy.py NAMESPACE_FILE ADDRESS PORT``. It is run as a file, for every connection, so it
imports nothing but the standard library's lightest parts.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import sys

_CLONE_NEWNET = 0x40000000
_BLOCK = 1 << 16


def connect(namespace_file: str, address: str, port: int) -> socket.socket:
    """Enter a network namespace for good and connect from there.

    :raises OSError: there is no such namespace, no right to enter it, or nobody listens
    """
    descriptor = os.open(namespace_file, os.O_RDONLY | os.O_CLOEXEC)
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"entering {namespace_file}: {os.strerror(number)}")
    os.close(descriptor)
    peer = socket.create_connection((address, port), timeout=10)
    peer.settimeout(None)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def relay(peer: socket.socket, source: int, sink: int) -> None:
    """Copy ``source`` to ``peer`` and ``peer`` to the ``sink`` until the peer closes or nobody reads."""
    waiting = [peer.fileno(), source]
    while True:
        readable, _, _ = select.select(waiting, [], [])
        if source in readable:
            data = os.read(source, _BLOCK)
            if data:
                peer.sendall(data)
            else:
                peer.shutdown(socket.SHUT_WR)
                waiting.remove(source)
        if peer.fileno() in readable:
            data = peer.recv(_BLOCK)
            if not data:
                return
            view = memoryview(data)
            while view:
                view = view[os.write(sink, view) :]


def main() -> int:
    """Relay between standard streams and the port named on the command line."""
    try:
        relay(connect(sys.argv[1], sys.argv[2], int(sys.argv[3])), 0, 1)
    except (BrokenPipeError, ConnectionResetError):
        return 1
    except OSError as error:
        print(f"rdo: no connection to {sys.argv[2]}:{sys.argv[3]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
