"""A loopback host that serves files as the hosts of the public sets do, and misbehaves on demand."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Host:
    """`files`: path of the address -> bytes. `plan`: path -> what its next GETs get: "cut", or a status like 503.

    `hub`: name of a dataset of the Hugging Face hub -> folder; `commit` is where its branches point.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.plan: dict[str, list[str | int]] = {}
        self.hub: dict[str, Path] = {}
        self.commit = COMMIT
        self.lost: set[str] = set()  # files of the hub that it lists and does not deliver whole
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""

    def content(self, path: str) -> bytes | None:
        """Bytes at a path: a plain file, or /datasets/{name}/resolve/{commit}/{file} of the hub."""
        for name, folder in self.hub.items():
            begin = f"/datasets/{name}/resolve/{self.commit}/"
            if path.startswith(begin) and (folder / path.removeprefix(begin)).is_file():
                return (folder / path.removeprefix(begin)).read_bytes()
        return self.files.get(path)

    def about(self, path: str) -> dict | None:
        """What the hub's interface says about a dataset or its tree."""
        for name, folder in self.hub.items():
            start = f"/api/datasets/{name}"
            if path.split("/revision/")[0].split("/tree/")[0] != start:
                continue
            listed = []
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                content, inside = file.read_bytes(), str(file.relative_to(folder))
                entry = {"rfilename": inside, "size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
                if file.name.endswith(".nii.gz"):
                    digest = hashlib.sha256(content).hexdigest()
                    entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
                listed.append(entry)
            if "/tree/" in path:
                return [{"type": "file", "path": e["rfilename"], "size": e["size"], "oid": e["blobId"]} for e in listed]  # type: ignore[return-value]
            return {"id": name, "sha": self.commit, "siblings": listed, "tags": [], "private": False, "gated": False}
        return None


class _Handler(BaseHTTPRequestHandler):
    host: Host
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        if body:
            self.host.asked.append((path, self.headers.get("Range")))
        plan = self.host.plan.get(path, [])
        step = plan.pop(0) if body and plan else "ok"
        if isinstance(step, int):
            self._send(step, b"<html>busy</html>", {}, body=body)
            return
        about, content = self.host.about(path), self.host.content(path)
        if about is not None:
            self._send(200, json.dumps(about).encode(), {"Content-Type": "application/json"}, body=body)
            return
        if content is None:
            self._send(404, b"", {}, body=body)
            return
        if any(path.endswith(name) for name in self.host.lost):
            content = content[:-1]
        self._part(content, body=body, cut=step == "cut")

    def _part(self, content: bytes, *, body: bool, cut: bool) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {"ETag": tag, "X-Repo-Commit": self.host.commit, "Accept-Ranges": "bytes"}
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted and condition in (None, tag) else 0
        status = 206 if start else 200
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(status, content[start:], headers, body=body, cut=cut)

    def _send(self, status: int, content: bytes, headers: dict[str, str], *, body: bool, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True


@contextmanager
def serve() -> Iterator[Host]:
    """A host on a free port of this machine, until the block ends."""
    host = Host()
    handler = type("Handler", (_Handler,), {"host": host})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    host.url = f"http://127.0.0.1:{http.server_port}"
    try:
        yield host
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
