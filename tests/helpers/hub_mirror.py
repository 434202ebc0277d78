"""A mirror of two repositories with the hub's file layout and addresses, on this machine.

The parquet has the real schema of UltraChat 200k, the safetensors file holds `wte.weight`.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file

from fpcore.data.corpus import ULTRACHAT
from fpcore.data.embedding import GPT2
from helpers.toy import conversation

PARQUET = "data/train_sft-00000-of-00003-a3ecf92756993583.parquet"
LARGE = 24 * 2**20  # bytes
TYPES, WIDTH = 50257, 8  # GPT-2's types; its width is 768


def write_files(folder: Path, conversations: int) -> None:
    """Write the files of both repositories."""
    message = pa.struct([("content", pa.string()), ("role", pa.string())])
    rows = [
        {
            "prompt": f"prompt {number}",
            "prompt_id": hashlib.sha256(str(number).encode()).hexdigest(),
            "messages": [
                {"content": line, "role": "assistant" if n % 2 else "user"}
                for n, line in enumerate(conversation(number).split("\n"))
            ],
        }
        for number in range(conversations)
    ]
    fields = [("prompt", pa.string()), ("prompt_id", pa.string()), ("messages", pa.list_(message))]
    parquet = folder / "datasets" / ULTRACHAT.repository / PARQUET
    parquet.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), parquet)
    weights = folder / "models" / GPT2.repository / GPT2.pattern
    weights.parent.mkdir(parents=True)
    draw = torch.randn(TYPES, WIDTH, generator=torch.Generator().manual_seed(0))
    rest = torch.zeros(LARGE // 4)  # the other weights; a library keeps what it has by 10 MiB
    save_file({"wte.weight": draw, "h.0.mlp.c_fc.weight": rest}, weights)


class Mirror:
    """What was asked of the mirror, and how many downloads of large files break off half-way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str]] = []  # paths, and ranges where one was asked for
        self.breaks = 0
        self.address = ""

    def file(self, path: str) -> tuple[Path, str] | None:
        """Return the file and the revision of an address, `[datasets/]<a>/<b>/resolve/<r>/…`."""
        kind = "datasets" if path.startswith("/datasets/") else "models"
        parts = path.removeprefix("/datasets").lstrip("/").split("/")
        if len(parts) < 5 or parts[2] != "resolve":
            return None
        found = self.folder / kind / "/".join(parts[:2]) / "/".join(parts[4:])
        return (found, parts[3]) if found.is_file() else None

    def listing(self, path: str) -> list[dict[str, Any]] | None:
        """Return the files of an address `/api/<kind>/<a>/<b>/tree/<revision>`."""
        parts = path.strip("/").split("/")
        if parts[:1] != ["api"] or len(parts) < 6 or parts[4] != "tree":
            return None
        root = self.folder / parts[1] / parts[2] / parts[3]
        return [
            {"type": "file", "oid": _tag(file), "size": file.stat().st_size, "path": name}
            for file in sorted(root.rglob("*"))
            if file.is_file() and (name := file.relative_to(root).as_posix())
        ]


def _tag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextmanager
def served(folder: Path) -> Iterator[Mirror]:
    """Serve the files of `write_files`."""
    mirror = Mirror(folder)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            path, asked = self.path.split("?")[0], self.headers.get("Range", "")
            mirror.asked.append((path, asked))
            listing = mirror.listing(path)
            if listing is not None:
                return self._send(json.dumps(listing).encode(), {}, body)
            found = mirror.file(path)
            if found is None:
                return self.send_error(404)
            content, headers = found[0].read_bytes(), {"X-Repo-Commit": found[1]}
            headers |= {"ETag": f'"{_tag(found[0])}"', "Accept-Ranges": "bytes"}
            if asked and body:
                first = int(asked.removeprefix("bytes=").split("-")[0])
                headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
                return self._send(content[first:], headers, body, 206)
            return self._send(content, headers, body)

        def _send(
            self, content: bytes, headers: dict[str, str], body: bool, status: int = 200
        ) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            if not body:
                return
            if mirror.breaks and len(content) > LARGE // 2:
                mirror.breaks -= 1
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                self.connection.close()
                return
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    mirror.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
