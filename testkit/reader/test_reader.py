"""Tests of the reader on whole repositories that minimal_writer makes."""

import contextlib
import hashlib
import io
import json
import os
import stat
import struct
import tempfile
import unittest

import cairn_keys as k
import cairn_reader
import minimal_writer as w
import run_all
from cairn_base import MissingCapability
from cairn_check import Check
from cairn_repository import Repository, Store
from cairn_restore import Restore
from testing import Base


class WholeRepositoryTest(Base):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.scratch = folder.name
        self.folder = os.path.join(self.scratch, "museum", "one")
        self.repo = os.path.join(self.folder, "repo")
        self.writer = w.RepositoryWriter(self.repo)
        self.big = b"".join(struct.pack("<I", n) for n in range(5000))
        self.fill()
        self.key = os.path.join(self.folder, "key.txt")
        with open(self.key, "w", encoding="ascii") as file:
            file.write(w.armor(w.key_values("read")))

    def fill(self) -> None:
        add = self.writer.add
        # 625 chunks of 32 bytes in lists of 8: two levels
        parts = [add(1, self.big[at : at + 32], 0) for at in range(0, len(self.big), 32)]
        big = self.writer.listed(parts, each=8)
        self.assertEqual(big[0], 2)
        hello = [0, w.run([add(1, b"hello")])]
        inner = [
            w.entry(b"big", content=big, size=len(self.big), mtime=1_000_000_001),
            w.entry(b"empty", mode=0o000),
            w.entry(b"fifo", 4, 0o600),
            w.entry(b"first", 1, 0o4750, content=hello, size=5, link=3, inode=9, xattrs=[[b"user.x", b"\0y"]]),
            w.entry(b"l\xffink", 3, 0o777, target=b"../\xfe nowhere", mtime=5),
            w.entry(b"second", 1, 0o4750, content=hello, size=5, link=3, inode=9, xattrs=[[b"user.x", b"\0y"]]),
            w.entry(b"socket", 7, 0o644),
            w.entry(b"sparse", content=hello, size=100_005, holes=[[3, 50_000], [50_004, 50_000]]),
            w.entry(b"sub", 2, 0o555, content=self.writer.directory([w.entry(b"deep")]), mtime=77),
        ]
        src = w.entry(b"src", 2, 0o700, content=self.writer.directory(inner))
        self.writer.commit(w.entry(b"", 2, 0o755, content=self.writer.directory([src])), b"A" * 16)

    def open(self, rights: str = "read", from_packs: bool = False) -> Repository:
        return Repository(Store(self.repo), k.parse_key_text(w.armor(w.key_values(rights))), from_packs)

    def restored(self, repository: Repository) -> tuple[str, list]:
        target = tempfile.mkdtemp(dir=self.scratch)
        restore = Restore(repository)
        restore.run(repository.archives()[0].descriptor["root"], target)
        return target, restore.problems

    def checked(self, rights: str = "read") -> Check:
        check = Check(Store(self.repo), k.parse_key_text(w.armor(w.key_values(rights))))
        check.run()
        return check

    def objects(self, sort: str) -> list:
        store = Store(self.repo)
        return [store.path(sort, name) for name in store.names(sort)[0]]

    def flip(self, path: str, at: int) -> None:
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 0x10]))

    def test_restore(self) -> None:
        for from_packs in (False, True):
            before = os.getcwd()
            target, problems = self.restored(self.open(from_packs=from_packs))
            self.assertEqual((problems, os.getcwd()), ([], before))
            src = os.path.join(os.fsencode(target), b"src")
            at = lambda name: os.path.join(src, name)  # noqa: E731
            with open(at(b"big"), "rb") as big, open(at(b"sparse"), "rb") as sparse:
                self.assertEqual(big.read(), self.big)
                self.assertEqual(sparse.read(), b"hel" + bytes(50_000) + b"l" + bytes(50_000) + b"o")
            self.assertLess(os.stat(at(b"sparse")).st_blocks * 512, 50_000)
            self.assertTrue(os.path.samefile(at(b"first"), at(b"second")))
            self.assertEqual(os.getxattr(at(b"first"), "user.x"), b"\0y")
            self.assertEqual(os.readlink(at(b"l\xffink")), b"../\xfe nowhere")
            modes = {name: stat.S_IMODE(os.lstat(at(name)).st_mode) for name in os.listdir(src)}
            self.assertEqual([modes[name] for name in (b"first", b"empty", b"fifo", b"sub")], [0o4750, 0, 0o600, 0o555])
            times = [os.lstat(at(name)).st_mtime_ns for name in (b"big", b"l\xffink", b"sub", b"")]
            self.assertEqual(times, [1_000_000_001, 5, 77, w.START])
            self.assertTrue(
                stat.S_ISFIFO(os.lstat(at(b"fifo")).st_mode) and stat.S_ISSOCK(os.lstat(at(b"socket")).st_mode)
            )
            os.chmod(at(b"sub"), 0o755)  # or the clean-up fails for people who are not root

    def test_check(self) -> None:
        self.writer.put_slot(w.slot(w.armor(w.key_values("read")), "p"))
        check = self.checked()
        self.assertEqual(check.problems, [])
        self.assertEqual(
            (check.counts["archives"], check.counts["entries"], check.counts["unopened chunks"]), (1, 12, 0)
        )
        check = self.checked("maintain")
        self.assertEqual(check.problems, [])
        self.assertEqual(check.counts["unopened chunks"], 626)

    def test_rights(self) -> None:
        repository = self.open("maintain")
        self.assertEqual(len(list(repository.walk(repository.find("41" * 16)))), 12)
        target, problems = self.restored(repository)
        # `empty` and `deep` have no content to open
        self.assertEqual(
            sorted(path for path, _ in problems), [b"/src/" + name for name in (b"big", b"first", b"second", b"sparse")]
        )
        os.chmod(os.path.join(target, "src", "sub"), 0o755)
        repository = self.open("write")
        self.assertEqual(repository.archives()[0].name, "home-2026-11-21T08-15-02Z")
        self.refuse(list, repository.walk(repository.archives()[0]), kind=MissingCapability)

    def test_every_object_is_noticed(self) -> None:
        for sort in ("packs", "index", "log"):
            for path in self.objects(sort):
                size = os.path.getsize(path)
                for at in (0, 50, size // 2, size - 1):
                    self.flip(path, at)
                    self.assertNotEqual(self.checked().problems, [], (sort, at))
                    self.flip(path, at)
                os.rename(path, path + "x")
                self.assertNotEqual(self.checked().problems, [], sort)
                os.rename(path + "x", path)
        self.assertEqual(self.checked().problems, [])

    def test_another_copy_is_used(self) -> None:
        """A damaged chunk with a second holder is no loss."""
        self.writer.add(1, b"hello")
        self.writer.append(9, [self.writer.upload()], [])
        smallest = min(self.objects("packs"), key=os.path.getsize)
        os.remove(smallest)
        repository = self.open()
        self.assertEqual(repository.read_chunk(1, w.identify(1, b"hello")), b"hello")

    def test_damaged_chunk_costs_one_file(self) -> None:
        pack = max(self.objects("packs"), key=os.path.getsize)
        self.flip(pack, os.path.getsize(pack) - 11 - 1)  # the chunk `hello` is the last before the padding
        target, problems = self.restored(self.open())
        self.assertEqual({path for path, _ in problems}, {b"/src/first", b"/src/second", b"/src/sparse"})
        self.assertFalse(os.path.exists(os.path.join(target, "src", "first")))
        os.chmod(os.path.join(target, "src", "sub"), 0o755)

    def test_log_gap(self) -> None:
        self.writer.append(10, [], [1, 2, "full", 3, 4, 0, [], []])
        os.remove(self.objects("log")[0])
        self.refuse(self.open)

    def test_restore_refuses_a_full_target(self) -> None:
        repository = self.open()
        self.refuse(Restore(repository).run, repository.archives()[0].descriptor["root"], self.scratch)

    def test_command_line(self) -> None:
        out = io.StringIO()
        archive, target = "home-2026-11-21T08-15-02Z", os.path.join(self.scratch, "target")
        with contextlib.redirect_stdout(out):
            for command in (["list"], ["ls", archive], ["restore", archive, target], ["check"]):
                arguments = [command[0], self.repo, "--key", self.key, *command[1:]]
                self.assertEqual(cairn_reader.main(arguments), 0)
        self.assertIn("p0600", out.getvalue())
        self.assertIn("/src/l\\udcffink -> ../\\udcfe nowhere", out.getvalue())
        os.chmod(os.path.join(target, "src", "sub"), 0o755)
        with contextlib.redirect_stderr(out):
            self.assertEqual(cairn_reader.main(["restore", self.repo, "--key", self.key, "other", target]), 2)

    def test_run_all(self) -> None:
        sha = hashlib.sha256(b"hello").hexdigest()
        first = {"kind": "file", "size": 5, "sha256": sha, "mode": "4750", "xattrs": {"user.x": "0079"}}
        files = {
            "/src/big": {"kind": "file", "mtime": "1000000001", "sha256": hashlib.sha256(self.big).hexdigest()},
            "/src/empty": {"kind": "file", "size": 0, "mode": "0000", "mtime": str(w.START)},
            "/src/fifo": {"kind": "fifo"},
            "/src/first": first,
            "/src/l%FFink": {"kind": "symlink", "target": "../%FE nowhere"},
            "/src/second": {**first, "link": "/src/first"},
            "/src/socket": {"kind": "socket"},
            "/src/sparse": {"kind": "file", "size": 100005, "holes": [[3, 50000], [50004, 50000]]},
            "/src/sub": {"kind": "directory", "mode": "0555", "mtime": "77"},
            "/src/sub/deep": {"kind": "file"},
        }
        expected = {"outcome": "ok", "archives": [{"name": "home-2026-11-21T08-15-02Z", "files": files}]}
        self.assertEqual(self.run_all(expected), (0, "one: ok\n1 passed, 0 failed\n"))
        for path, change in (
            ("/src/big", {"sha256": sha}),
            ("/src/empty", {"mode": "0001"}),
            ("/src/second", {"link": "/src/sub/deep"}),
            ("/src/sub", {"mtime": "78"}),
            ("/src/fifo", {"fifo": True}),
            ("/src/first", {"xattrs": {"user.x": "00"}}),
            ("/src/none", {"kind": "file"}),
        ):
            item = {"name": "home-2026-11-21T08-15-02Z", "files": {**files, path: {**files.get(path, {}), **change}}}
            status, text = self.run_all({"outcome": "ok", "archives": [item]})
            self.assertEqual((status, path in text), (1, True), text)
        del files["/src/socket"]
        self.assertIn("/src/socket: not expected", self.run_all(expected)[1])
        self.assertEqual(self.run_all({"outcome": "ok", "archives": []})[0], 1)

    def test_run_all_damaged(self) -> None:
        pack = max(self.objects("packs"), key=os.path.getsize)
        self.flip(pack, os.path.getsize(pack) - 12)
        lost = {"kind": "file", "damaged": True}
        files = {f"/src/{name}": lost for name in ("first", "second", "sparse")} | {"/src/big": {"kind": "file"}}
        item = {"name": "home-2026-11-21T08-15-02Z", "partial": True, "files": files}
        self.assertEqual(self.run_all({"outcome": "damaged", "archives": [item]}), (0, "one: ok\n1 passed, 0 failed\n"))
        self.assertEqual(self.run_all({"outcome": "ok", "archives": [item]})[0], 1)
        files["/src/big"] = lost
        self.assertIn("/src/big: restored", self.run_all({"outcome": "damaged", "archives": [item]})[1])
        self.flip(self.objects("log")[0], 100)
        self.assertEqual(self.run_all({"outcome": "damaged", "archives": [], "opens": False})[0], 0)

    def run_all(self, expected: dict) -> tuple[int, str]:
        with open(os.path.join(self.folder, "expected.json"), "w", encoding="utf-8") as file:
            json.dump(expected, file)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = run_all.main(os.path.dirname(self.folder))
        return status, out.getvalue()


if __name__ == "__main__":
    unittest.main()
