"""The owner's lock, network file systems, and journals that were moved or copied."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchfish.errors import BatchBusy, NeedsYes, StorageFailed, TryLater
from batchfish.journal.lock import (
    NETWORK_FILE_SYSTEMS,
    OwnerLock,
    compare,
    identify,
    owner_of,
    refuse_network_file_system,
)

if TYPE_CHECKING:
    from pathlib import Path

BOOT = "boot-1"


class TestOwnerLock:
    def test_a_second_owner_is_refused_with_the_process_id(self, path: Path) -> None:
        lock = OwnerLock(path)
        with pytest.raises(BatchBusy, match=rf"another process \(pid {os.getpid()}\) is working on it"):
            OwnerLock(path)
        lock.release()

    def test_an_owner_without_process_id_yet_is_reported(self, path: Path) -> None:
        with path.with_name("books.db.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(BatchBusy, match="another process is working on it"):
                OwnerLock(path)

    def test_the_lock_can_be_taken_after_release(self, path: Path) -> None:
        assert issubclass(BatchBusy, TryLater)
        OwnerLock(path).release()
        OwnerLock(path).release()

    def test_the_lock_file_exists_before_the_journal(self, path: Path) -> None:
        before = os.umask(0)
        lock = OwnerLock(path)
        os.umask(before)
        (file,) = path.parent.iterdir()
        assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("books.db.lock", 0o600)
        assert file.read_text() == f"{os.getpid()}\n"
        lock.release()

    def test_a_link_as_lock_file_is_not_followed(self, tmp_path: Path, path: Path) -> None:
        (tmp_path / "precious").write_text("12345 bytes of something else")
        path.with_name("books.db.lock").symlink_to(tmp_path / "precious")
        with pytest.raises(StorageFailed, match="cannot open the lock file"):
            OwnerLock(path)
        assert (tmp_path / "precious").read_text() == "12345 bytes of something else"

    def test_a_missing_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StorageFailed, match=r"books\.db\.lock: cannot open the lock file: No such file"):
            OwnerLock(tmp_path / "nowhere" / "books.db")

    def test_a_left_lock_file_locks_nothing(self, path: Path) -> None:
        path.with_name("books.db.lock").write_text("1\n")
        OwnerLock(path).release()

    @pytest.mark.process
    def test_a_killed_owner_frees_the_lock_also_from_its_children(self, path: Path) -> None:
        script = (
            "import subprocess, sys\nfrom pathlib import Path\n"
            "from batchfish.journal.lock import OwnerLock\n"
            "lock = OwnerLock(Path(sys.argv[1]))\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'],"
            " stdin=subprocess.PIPE, close_fds=False)\n"
            "print(child.pid, flush=True); sys.stdin.read()"
        )
        owner = subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert owner.stdout is not None
        assert owner.stdin is not None
        child = int(owner.stdout.readline())
        assert owner_of(path) == owner.pid
        with pytest.raises(BatchBusy, match=f"pid {owner.pid}"):
            OwnerLock(path)
        # Only the end of its pipe ends the child, so that it outlives its parent for a moment.
        os.kill(child, signal.SIGSTOP)
        owner.kill()
        owner.wait()
        try:
            OwnerLock(path).release()
        finally:
            os.kill(child, signal.SIGKILL)
            owner.stdout.close()
            owner.stdin.close()

    def test_owner_of_a_free_journal_is_none(self, path: Path) -> None:
        assert owner_of(path) is None
        lock = OwnerLock(path)
        assert owner_of(path) == os.getpid()
        lock.release()
        assert owner_of(path) is None

    @pytest.mark.parametrize("content", ["", "one\n", "-1\n", "0\n", "999999999\n", "é"])
    def test_owner_of_takes_any_content_of_the_lock_file(self, path: Path, content: str) -> None:
        path.with_name("books.db.lock").write_text(content)
        assert owner_of(path) is None


def as_mounted(folder: Path) -> str:
    """Return a folder as the system's table of mounts names it."""
    return str(folder).replace(" ", "\\040")


class TestNetworkFileSystem:
    def refuse(self, folder: Path, *mounts: str) -> None:
        table = folder / "mounts"
        table.write_text("".join(f"{mount}\n" for mount in mounts))
        refuse_network_file_system(folder, table)

    def test_a_local_disk_is_accepted(self, tmp_path: Path) -> None:
        self.refuse(tmp_path, "/dev/sda1 / ext4 rw 0 0", "tmpfs /run tmpfs rw 0 0")
        refuse_network_file_system(tmp_path)

    @pytest.mark.parametrize("kind", [*sorted(NETWORK_FILE_SYSTEMS), "fuse.sshfs"])
    def test_a_network_file_system_is_refused_with_advice(self, tmp_path: Path, kind: str) -> None:
        with pytest.raises(StorageFailed, match=rf"network file system \({kind}\).*--journal FILE"):
            self.refuse(
                tmp_path,
                "/dev/sda1 / ext4 rw 0 0",
                f"server:/export {as_mounted(tmp_path.parent)} {kind} rw 0 0",
            )

    def test_the_nearest_mount_decides(self, tmp_path: Path) -> None:
        point, above = as_mounted(tmp_path), as_mounted(tmp_path.parent)
        self.refuse(tmp_path, f"server:/ {above} nfs4 rw 0 0", f"/dev/sdb1 {point} ext4 rw 0 0")
        self.refuse(tmp_path, "/dev/sda1 / ext4 rw 0 0", f"server:/ {point}x nfs4 rw 0 0")

    def test_of_two_mounts_on_one_folder_the_later_decides(self, tmp_path: Path) -> None:
        point = as_mounted(tmp_path)
        with pytest.raises(StorageFailed):
            self.refuse(tmp_path, f"/dev/sdb1 {point} ext4 rw 0 0", f"server:/ {point} nfs rw 0 0")

    def test_a_mount_point_may_contain_a_blank(self, tmp_path: Path) -> None:
        folder = tmp_path / "my jobs"
        folder.mkdir()
        with pytest.raises(StorageFailed):
            self.refuse(folder, "/dev/sda1 / ext4 rw 0 0", f"server:/ {as_mounted(folder)} nfs rw 0 0")

    def test_unreadable_mounts_refuse_nothing(self, tmp_path: Path) -> None:
        refuse_network_file_system(tmp_path, tmp_path / "none")


class TestIdentity:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "books.db"
        path.write_text("a journal")
        return path

    def test_an_unchanged_file_is_accepted(self, path: Path) -> None:
        compare(identify(path, "machine", BOOT), identify(path, "machine", BOOT))
        compare(identify(path, "machine", BOOT), identify(path, "machine", "boot-2"))

    def test_a_copy_is_noticed(self, path: Path) -> None:
        known = identify(path, "machine", BOOT)
        copy = path.with_name("copy.db")
        shutil.copy2(path, copy)
        with pytest.raises(NeedsYes, match=r"moved or copied \(path .*books\.db is now .*copy\.db, inode"):
            compare(known, identify(copy, "machine", BOOT))

    def test_a_copy_at_the_same_path_is_noticed(self, path: Path) -> None:
        known = identify(path, "machine", BOOT)
        shutil.copy2(path, path.with_name("backup.db"))
        path.with_name("backup.db").rename(path)
        with pytest.raises(NeedsYes, match="inode"):
            compare(known, identify(path, "machine", BOOT))

    def test_another_path_to_the_same_file_is_accepted(self, path: Path) -> None:
        link = path.with_name("link.db")
        link.symlink_to(path)
        compare(identify(path, "machine", BOOT), identify(link, "machine", BOOT))

    def test_a_renamed_folder_is_noticed(self, path: Path) -> None:
        known = identify(path, "machine", BOOT)
        moved = path.parent.rename(path.parent.with_name("elsewhere"))
        with pytest.raises(NeedsYes, match="Agree only if this is the only one in use"):
            compare(known, identify(moved / path.name, "machine", BOOT))

    def test_another_machine_is_noticed(self, path: Path) -> None:
        with pytest.raises(NeedsYes, match="machine one is now two"):
            compare(identify(path, "one", BOOT), identify(path, "two", BOOT))

    def test_an_unknown_machine_equals_itself(self, path: Path) -> None:
        compare(identify(path, None, BOOT), identify(path, None, BOOT))
        with pytest.raises(NeedsYes, match="machine unknown is now two"):
            compare(identify(path, None, BOOT), identify(path, "two", BOOT))

    def test_device_numbers_are_compared_only_within_one_boot(self, path: Path) -> None:
        known = identify(path, "machine", BOOT)
        elsewhere = known | {"device": "99"}
        with pytest.raises(NeedsYes, match="device"):
            compare(known, elsewhere)
        compare(known, elsewhere | {"boot_id": "boot-2"})
