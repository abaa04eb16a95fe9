"""A TCP proxy that can be told to let nothing through: a cable that is pulled out and put back."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"
PIECE = 1 << 16


class Proxy:
    """Listens on `port` for connections to `target` (a port of this machine).

    Cut, it reads and delivers nothing and accepts nobody, and tells nobody: connections stay open and silent, as when
    packets are lost. Mended, what was on its way is lost: all connections are reset.
    """

    def __init__(self, target: int, port: int = 0) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, port))
        self.port: int = self._listener.getsockname()[1]
        self._peers: dict[socket.socket, socket.socket] = {}
        self._cut, self._closed = threading.Event(), threading.Event()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
        for each in (*self._peers, self._listener):
            each.close()
        self._selector.close()

    def cut(self) -> None:
        self._cut.set()

    def mend(self) -> None:
        self._cut.clear()

    def _run(self) -> None:
        was_cut = False
        while not self._closed.wait(0.05 if self._cut.is_set() else 0.0):
            if self._cut.is_set():
                was_cut = True
                continue
            if was_cut:
                was_cut = False
                for each in list(self._peers):
                    self._drop(each)
            for key, _ in self._selector.select(0.05):
                if not self._cut.is_set():
                    self._serve(key.fileobj)

    def _serve(self, ready: object) -> None:
        if ready is self._listener:
            self._accept()
        elif isinstance(ready, socket.socket) and ready in self._peers:
            try:
                piece = ready.recv(PIECE)
                if piece:
                    self._peers[ready].sendall(piece)
            except OSError:
                piece = b""
            if not piece:
                self._drop(ready)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection((HOST, self._target))
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _drop(self, one: socket.socket) -> None:
        other = self._peers.get(one)
        for each in (one, other):
            if each is not None and self._peers.pop(each, None) is not None:
                self._selector.unregister(each)
                with suppress(OSError):
                    each.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
                    )  # reset, not end
                each.close()
