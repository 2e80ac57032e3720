"""One file over HTTP, from a server that misbehaves on demand."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from siil.datasets import transfer
from siil.errors import DatasetError

CONTENT = b"PK" + bytes(range(256)) * 4000


@pytest.fixture
def server(monkeypatch):
    """A loopback server; `plan` holds what the next requests get, `asked` the headers that came."""
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(transfer, "_BLOCK", 50_000)
    state = SimpleNamespace(content=CONTENT, etag='"one"', plan=[], asked=[], ranges=True, promised=0)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            state.asked.append(self.headers.get("Range"))
            step = state.plan.pop(0) if state.plan else "ok"
            if isinstance(step, int):
                self.send_error(step)
                return
            if step == "page":
                body = b"<html>busy</html>"
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            start = 0
            wanted = self.headers.get("Range")
            if wanted and state.ranges and self.headers.get("If-Range") == state.etag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            self.send_header("Content-Length", str(len(body) + state.promised))
            self.send_header("ETag", state.etag)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if step == "cut" else body)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/a.zip"
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def get(server, tmp_path) -> Path:
    return transfer.download(server.url, tmp_path / "a.zip", lock=tmp_path / "lock.json")


def left(tmp_path) -> list[str]:
    return sorted(path.name for path in tmp_path.iterdir())


def test_the_first_download_writes_the_lock_and_nothing_else_stays(server, tmp_path):
    assert get(server, tmp_path).read_bytes() == CONTENT
    entry = json.loads((tmp_path / "lock.json").read_text())[server.url]
    assert (entry["bytes"], entry["sha256"]) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert left(tmp_path) == ["a.zip", "lock.json"]


def test_a_cut_connection_goes_on_where_it_was(server, tmp_path):
    server.plan = ["cut", "cut"]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[0] is None
    half = int(server.asked[1].removeprefix("bytes=").rstrip("-"))
    assert 0 < half < len(CONTENT)
    assert int(server.asked[2].removeprefix("bytes=").rstrip("-")) > half


def test_what_a_killed_run_left_is_gone_on_with(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:1000])
    (tmp_path / "a.zip.part.json").write_text(json.dumps({"etag": server.etag}))
    (tmp_path / "a.zip.part.busy").touch()  # its lock died with it
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]


def test_a_file_that_changed_between_two_parts_is_loaded_anew(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:1000])
    (tmp_path / "a.zip.part.json").write_text('{"etag": "\\"old\\""}')
    server.content = b"PK" + CONTENT[::-1]
    assert get(server, tmp_path).read_bytes() == server.content


def test_a_server_without_ranges_starts_anew(server, tmp_path):
    server.ranges = False
    server.plan = ["cut"]
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_503_is_tried_again_and_given_up_in_the_end(server, tmp_path):
    server.plan = [503, 503]
    assert get(server, tmp_path).read_bytes() == CONTENT
    (tmp_path / "a.zip").unlink()
    server.plan = [503] * 20
    with pytest.raises(DatasetError, match=r"503.* after 6 attempts; run fetch again, it goes on"):
        get(server, tmp_path)
    assert "a.zip" not in left(tmp_path)


def test_404_is_not_tried_again(server, tmp_path):
    server.plan = [404]
    with pytest.raises(DatasetError, match="the server says 404"):
        get(server, tmp_path)
    assert len(server.asked) == 1


def test_an_error_page_with_status_200_is_refused_and_leaves_no_part(server, tmp_path):
    server.plan = ["page"]
    with pytest.raises(DatasetError, match="17 bytes of something else"):
        get(server, tmp_path)
    assert "a.zip" not in left(tmp_path)
    assert get(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"bytes": 12}])
def test_a_file_that_is_not_the_locked_one_is_refused(server, tmp_path, change):
    entry = {"bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(), "date": "2026-01-01"} | change
    (tmp_path / "lock.json").write_text(json.dumps({server.url: entry}))
    with pytest.raises(DatasetError, match="expected"):
        get(server, tmp_path)
    assert json.loads((tmp_path / "lock.json").read_text())[server.url] == entry


def test_a_part_as_long_as_the_file_is_dropped(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT + b"more")
    (tmp_path / "a.zip.part.json").write_text(json.dumps({"etag": server.etag}))
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_length_that_never_comes_is_given_up(server, tmp_path):
    server.promised = 7  # the server names 7 bytes more than it has
    with pytest.raises(DatasetError, match=r"after 6 attempts; run fetch again"):
        get(server, tmp_path)
    assert len(server.asked) < 20
    assert "a.zip" not in left(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line_and_the_next_run_goes_on(server, tmp_path):
    (tmp_path / "a.zip.part").symlink_to("/dev/full")
    with pytest.raises(DatasetError, match=r"a\.zip\.part: .*No space left on device; free some disk space"):
        get(server, tmp_path)
    assert "a.zip" not in left(tmp_path)
    (tmp_path / "a.zip.part").unlink()
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_file_that_the_disk_has_no_room_for_is_not_begun(server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(DatasetError, match=r"0\.0 GB to come, 0\.0 GB free; free some disk space"):
        get(server, tmp_path)
    assert "a.zip.part" not in left(tmp_path)


def test_progress_says_how_much_how_fast_and_how_long(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(transfer, "EVERY_S", 0.0)
    with caplog.at_level("INFO"):
        get(server, tmp_path)
    assert re.search(r"a\.zip: 0\.\d MB of 1\.0 MB, \d+\.\d MB/s, about \d+ s left", caplog.text)


def test_a_damaged_lock_is_refused(server, tmp_path):
    (tmp_path / "lock.json").write_text("{")
    with pytest.raises(DatasetError, match=r"lock\.json: expected JSON"):
        get(server, tmp_path)


def test_two_runs_at_once_end_with_one_whole_file(server, tmp_path):
    """Run as two threads: each either has the file or is told that another run is at it."""
    server.plan = ["cut"] * 4
    outcomes: list[str] = []

    def once() -> None:
        try:
            outcomes.append("done" if get(server, tmp_path).read_bytes() == CONTENT else "wrong")
        except DatasetError as error:
            outcomes.append("refused" if "another run" in str(error) else str(error))

    threads = [threading.Thread(target=once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) <= {"done", "refused"}
    assert "done" in outcomes
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_second_run_at_once_is_refused(server, tmp_path):
    with (tmp_path / "a.zip.part.busy").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(DatasetError, match="another run"):
            get(server, tmp_path)
