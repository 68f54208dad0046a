"""A server of files on this machine."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
import http.server
import threading


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, *_):
        pass


def serve_files(folder):
    """Serve a folder: its address, and the server."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Files, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/", server
