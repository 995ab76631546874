"""From the start of `batchfish` to its first request and its first create, for a manifest of any size.

    python -m benchmarks.first_request [--rows 1000000] [--folder .]

`run` begins a batch of that many rows of a CSV file, at a server that answers listings; it is killed at its
first create. `resume` then goes on with the same journal. Each line has the wall and CPU seconds until a
request arrives, with those of the process that wrote the rows, and the peak memory of the command until then.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.machine import cpu_seconds, peak_memory
from benchmarks.manifest import GOAL, write_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 300.0
EMPTY_LISTING = b'{"data":[],"pagination":{"total":0,"next_cursor":null,"has_more":false}}'


def follow(words: Sequence[str], folder: Path, server: socket.socket, *, until: bytes) -> None:
    """Start a command, and print what each of its requests cost, up to one that begins with `until`."""
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    env = {**os.environ, "TINYFISH_API_KEY": "sk-tinyfish-benchmark", "BATCHFISH_BASE_URL": address}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as an installed package is
    command = [sys.executable, "-m", "batchfish", *words, "--progress", "none"]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    try:
        is_last = False
        while not is_last:
            connection, _ = server.accept()
            with connection:
                took = time.perf_counter() - began
                cpu, memory = cpu_seconds(process.pid), peak_memory(process.pid)
                cost = f"{took:7.2f} s, {cpu:6.2f} CPU s, {memory:4.0f} MiB"
                line = connection.recv(65536).split(b"\r\n")[0]
                is_last = line.startswith(until)
                print(f"{words[0]:<8}{cost}  {line.decode()[:40]}", flush=True)
                head = (
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(EMPTY_LISTING)
                )
                if not is_last:
                    connection.sendall(head + EMPTY_LISTING)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure both commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path())
    given = parser.parse_args()
    with (
        TemporaryDirectory(dir=given.folder, prefix="first-request-") as name,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        server.settimeout(PATIENCE)
        folder = Path(name)
        write_rows(folder / "rows.csv", given.rows, with_ids=True)
        follow(["run", "rows.csv", "--goal", GOAL], folder, server, until=b"POST")
        follow(["resume", "rows"], folder, server, until=b"")


if __name__ == "__main__":
    main()
