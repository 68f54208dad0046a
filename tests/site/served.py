"""Servers on this machine: one of the page, and one that stands for the rest of the network."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
import http.server
import threading


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, *_):
        pass


class Proxy(http.server.BaseHTTPRequestHandler):
    """Stands for the rest of the network: refuses all, and keeps what was asked."""

    asked: list[str] = []  # noqa: RUF012 - one list for all requests

    def refuse(self):
        self.asked.append(self.path)
        self.send_error(502)

    do_GET = do_POST = do_CONNECT = do_HEAD = refuse  # noqa: N815 - names of http.server

    def log_message(self, *_):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def serve_files(folder):
    """Serve a folder: its address, and the server."""
    server = serve(functools.partial(Files, directory=str(folder)))
    return f"http://127.0.0.1:{server.server_port}/", server
