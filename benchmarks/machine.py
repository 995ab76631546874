"""The machine that figures were measured on: processor, file system, versions."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROBES = 50
PAGE = 4096
SAVED = (
    "benchmarks/RESULTS.md",
    "benchmarks/results.json",
    "docs/makespan-dark.svg",
    "docs/makespan-light.svg",
)


def sync_time(folder: Path) -> float:
    """Return the median seconds that the folder's file system takes to make 4 KiB durable."""
    times = []
    probe = folder / "probe"
    with probe.open("wb") as file:
        for _ in range(PROBES):
            file.write(bytes(PAGE))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    probe.unlink()
    return statistics.median(times)


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on, "unknown" where Linux's /proc is missing."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    types = {}
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split()
        types[Path(place)] = kind
    resolved = folder.resolve()
    return next(types[place] for place in (resolved, *resolved.parents) if place in types)


def processor() -> str:
    """Return the name of the processor and the number of its cores that this process may use."""
    name = platform.processor() or platform.machine()
    details = Path("/proc/cpuinfo")
    if details.exists():
        lines = details.read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {len(cores())} cores"


def cpu_seconds(process: int) -> float:
    """Return the user and system seconds that a process and its children that have ended took so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_memory(process: int) -> float:
    """Return the most memory that a process has had so far, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def cores() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def versions(*packages: str) -> str:
    """Return the versions of Python, of this work tree and of installed packages, in one line."""
    found = [f"{platform.python_implementation()} {platform.python_version()}", f"batchfish {_commit()}"]
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return ", ".join(found)


def _commit() -> str:
    """Return the version of batchfish, and the commit where it is a work tree of git.

    Results and plots that were saved since do not make the tree dirty.
    """
    git = ["git", "-C", str(Path(__file__).parent)]
    changes = ["status", "--porcelain", "--", ":/", *(f":(exclude,top){saved}" for saved in SAVED)]
    try:
        commit = _output([*git, "describe", "--always"])
        dirty = "-dirty" if _output([*git, *changes]) else ""
    except (OSError, subprocess.CalledProcessError):
        return version("batchfish")
    return f"{version('batchfish')} ({commit}{dirty})"


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - no input
