"""How long `batchfish serve` takes from the start of its process to its first answer, beside bare Starlette.

And how long one of its reading processes takes until it has read its first, small page. All sides start in
turn. `warm`: as a second start finds the machine. `cold`: what the kernel has cached of the interpreter, the
packages and this project is dropped first (but for what other processes have mapped). `no bytecode`: as the
very first start, where every module has to be compiled. The target for an answer is 1.5 s.

    python benchmarks/cold_start.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from batchfish.localagent.engines.frames import HEADER, ReadJob, length_of, pack
from batchfish.localagent.engines.pool import MOST_MEMORY

ROOT = Path(__file__).parents[1]
BARE = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
async def runs(request):
    return JSONResponse({"data": []})
uvicorn.run(Starlette(routes=[Route("/v1/runs", runs)]), port=int(sys.argv[1]), log_level="error")
"""
KEY = "key-of-the-benchmark"
KEY_FILE = "key"
SERVERS = {
    "batchfish serve": [sys.executable, "-m", "batchfish", "serve", "--token-file", KEY_FILE, "--port"],
    "bare Starlette": [sys.executable, "-c", BARE],
}
READER = "reading process"
SIDES = (*SERVERS, READER)
PAGE = ReadJob(
    url="https://shop.example/kettle",
    goal="Extract the name and the price of the product.",
    content_type="text/html; charset=utf-8",
    body=b"<h1>Kettle</h1><dl><dt>Price</dt><dd>24.50 EUR</dd><dt>Net weight</dt><dd>2 kg</dd></dl>",
)
STATES = ("warm", "cold", "no bytecode")
LOOK_EVERY = 0.002
LONGEST_START = 60.0


def drop_cached_files() -> None:
    """Have the kernel forget the files that a start reads."""
    os.sync()  # what is not yet on disk stays cached
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    for place in {Path(sys.executable).resolve().parent, ROOT / "batchfish", *map(Path, places)}:
        for path in place.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    file = os.open(path, os.O_RDONLY)
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.close(file)


def start_once(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Start a server, and give the seconds, and the CPU seconds, until its first answer of 200."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        key_file = Path(folder) / KEY_FILE
        key_file.touch(mode=0o600)
        key_file.write_text(KEY)
        begun = time.perf_counter()
        server = subprocess.Popen(  # noqa: S603 - ourselves
            [*command, str(port)], env=environment, cwd=folder, stdout=subprocess.DEVNULL
        )
        try:
            while time.perf_counter() - begun < LONGEST_START:
                if answers(port):
                    return time.perf_counter() - begun, cpu_seconds(server.pid)
                time.sleep(LOOK_EVERY)
            raise SystemExit(f"no answer within {LONGEST_START:.0f} s: {command}")
        finally:
            server.terminate()
            server.wait()


def read_once(environment: dict[str, str]) -> tuple[float, float]:
    """Start a reading process, and give the seconds, and the CPU seconds, until its first page is read."""
    command = [sys.executable, "-m", "batchfish.localagent.engines.worker", str(MOST_MEMORY)]
    begun = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - ourselves
        command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        if reader.stdin is None or reader.stdout is None:
            raise SystemExit("the reading process has no pipes")
        reader.stdin.write(pack(PAGE))
        reader.stdin.flush()
        reader.stdout.read(length_of(reader.stdout.read(HEADER.size)))
        return time.perf_counter() - begun, cpu_seconds(reader.pid)


def cpu_seconds(pid: int) -> float:
    """Read what CPU a process has used; unlike its wall time, others on the machine hardly change it."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(port: int) -> bool:
    """Ask once whether a listing is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_START)
    try:
        connection.request("GET", "/v1/runs", headers={"X-API-Key": KEY})
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def measure(side: str, state: str) -> tuple[float, float]:
    """Bring the machine into a state, and start one side."""
    with TemporaryDirectory() as nowhere:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if state == "no bytecode":
            environment["PYTHONPYCACHEPREFIX"] = nowhere
        if state == "cold":
            drop_cached_files()
        return read_once(environment) if side == READER else start_once(SERVERS[side], environment)


def describe(times: list[tuple[float, float]]) -> str:
    """Spell medians and the slowest."""
    wall, cpu = zip(*times, strict=True)
    return f"{statistics.median(wall):.2f} s, CPU {statistics.median(cpu):.2f} (at most {max(wall):.2f})"


def main() -> None:
    """Measure all sides in each state, in turn, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for side in SIDES:
        measure(side, "warm")  # so that all bytecode is there
    print(f"{'':13}" + "".join(f"{side:>36}" for side in SIDES))
    for state in STATES:
        found: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side in SIDES:
                found[side].append(measure(side, state))
        print(f"{state:13}" + "".join(f"{describe(times):>36}" for times in found.values()), flush=True)


if __name__ == "__main__":
    main()
