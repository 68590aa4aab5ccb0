#!/usr/bin/python3
"""Checks, lists and restores every repository in testkit/repositories (the form is in testkit/README.md)."""

import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tarfile
import tempfile
from typing import Any

from cairn_base import FormatError, MissingCapability
from cairn_check import Check
from cairn_reader import read_key
from cairn_repository import Repository, Store
from cairn_restore import Restore
from cairn_tree import KIND_NAMES, Entry

FAILURES = (FormatError, MissingCapability, OSError)
IS_ROOT = os.geteuid() == 0


def path_text(path: bytes) -> str:
    """Bytes that are not UTF-8, and the percent sign, as %XX."""
    text = path.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) - 0xDC00:02X}", text)


def entry_facts(entry: Entry) -> dict:
    """The metadata of an entry, in the form of expected.json."""
    return {
        "kind": KIND_NAMES[entry.kind],
        "size": entry.size,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime": str(entry.mtime),
        "user": entry.user,
        "group": entry.group,
        "target": None if entry.target is None else path_text(entry.target),
        "device": None if entry.device is None else [entry.device["major"], entry.device["minor"]],
        "xattrs": {path_text(item["name"]): item["value"].hex() for item in entry.xattrs or []},
        "holes": [[hole["offset"], hole["length"]] for hole in entry.holes or []],
        "flags": entry.flags,
        "changed": bool(entry.state & 1),
    }


def disk_facts(path: bytes, wanted: dict) -> dict:
    """What the restored file is like. Owner and devices are only asked where the restore could set them."""
    about = os.lstat(path)
    kinds = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "directory",
        stat.S_IFLNK: "symlink",
        stat.S_IFIFO: "fifo",
        stat.S_IFCHR: "character-device",
        stat.S_IFBLK: "block-device",
        stat.S_IFSOCK: "socket",
    }
    kind = kinds[stat.S_IFMT(about.st_mode)]
    facts: dict = {"kind": kind, "mtime": str(about.st_mtime_ns)}
    if kind != "symlink":
        facts["mode"] = f"{stat.S_IMODE(about.st_mode):04o}"
    else:
        facts["target"] = path_text(os.readlink(path))
    if kind == "file":
        facts["size"] = about.st_size
    if IS_ROOT:
        facts |= {"uid": about.st_uid, "gid": about.st_gid}
        if kind.endswith("device"):
            facts["device"] = [os.major(about.st_rdev), os.minor(about.st_rdev)]
    if wanted.get("xattrs"):
        names = os.listxattr(path, follow_symlinks=False)
        values = {path_text(os.fsencode(n)): os.getxattr(path, n, follow_symlinks=False).hex() for n in names}
        facts["xattrs"] = {name: values.get(name) for name in wanted["xattrs"]}
    if "sha256" in wanted and kind == "file":
        if not os.access(path, os.R_OK):
            os.chmod(path, 0o400)  # its mode is in the facts already
        with open(path, "rb") as stream:
            facts["sha256"] = hashlib.file_digest(stream, "sha256").hexdigest()
    return facts


def plain(value: Any) -> Any:
    """64-bit integers may be numbers or decimal strings."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if type(value) is int else value


class Run:
    """One repository directory; `problems` says what is not as expected.json has it."""

    def __init__(self, folder: str, scratch: str):
        self.folder, self.scratch, self.problems = folder, scratch, []
        with open(os.path.join(folder, "expected.json"), encoding="utf-8") as stream:
            self.expected = json.load(stream)

    def run(self) -> list:
        store, keys = Store(self._store()), read_key(os.path.join(self.folder, "key.txt"))
        damaged = {"ok": False, "damaged": True}[self.expected["outcome"]]
        check = Check(store, keys)
        check.run()
        if damaged and not check.problems:
            self.problems.append("check finds nothing, but the repository is damaged")
        if not damaged:
            self.problems += [f"check: {problem}" for problem in check.problems]
        if self.expected.get("opens", True):
            self._archives(Repository(store, keys, self.expected.get("fromPacks", False)))
        else:
            try:
                Repository(store, keys)
                self.problems.append("opens, but must be refused")
            except FAILURES:
                pass  # as expected
        return self.problems

    def _store(self) -> str:
        path = os.path.join(self.folder, "repo")
        if os.path.isdir(path):
            return path
        unpacked = os.path.join(self.scratch, "store")
        with tarfile.open(os.path.join(self.folder, "repo.tar")) as archive:
            archive.extractall(unpacked, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(
                unpacked
            )
        inner = os.path.join(unpacked, "repo")
        return inner if os.path.isdir(inner) else unpacked

    def _archives(self, repository: Repository) -> None:
        there = sorted(archive.name for archive in repository.archives())
        wanted = sorted(item["name"] for item in self.expected["archives"])
        if there != wanted:
            self.problems.append(f"archives are {there}, expected {wanted}")
            return
        for number, item in enumerate(self.expected["archives"]):
            archive = repository.find(item["name"])
            if archive.hidden != item.get("hidden", False):
                self.problems.append(f"{archive.name}: hidden is {archive.hidden}")
            target = os.path.join(self.scratch, f"restored-{number}")
            entries, lost = self._walk(repository, archive)
            restore = Restore(repository)
            restore.run(archive.descriptor["root"], target)
            lost |= {path_text(path) for path, _ in restore.problems}
            reasons = {path_text(path): reason for path, reason in restore.problems}
            self._compare(item, entries, lost, reasons, os.fsencode(target))

    @staticmethod
    def _walk(repository: Repository, archive) -> tuple[dict, set]:
        lost: set = set()
        entries = dict(repository.walk(archive, lambda path, _error: lost.add(path_text(path))))
        return {path_text(path): (path, entry) for path, entry in entries.items()}, lost

    def _compare(self, item: dict, entries: dict, lost: set, reasons: dict, target: bytes) -> None:
        name, files = item["name"], item["files"]
        for path, (_, entry) in entries.items():
            if path not in files and KIND_NAMES[entry.kind] != "directory" and not item.get("partial", False):
                self.problems.append(f"{name}: {path}: not expected")
        unexpected = {path for path in lost if not files.get(path, {}).get("damaged", False)}
        if not IS_ROOT:  # devices need root, and so do owners
            unexpected = {path for path in unexpected if not files.get(path, {}).get("kind", "").endswith("device")}
        self.problems += [f"{name}: {path}: {reasons.get(path, 'cannot be listed')}" for path in sorted(unexpected)]
        for path, wanted in files.items():
            if wanted.get("damaged", False):
                if path not in lost and path in entries:
                    self.problems.append(f"{name}: {path}: restored, but it is damaged")
            elif path not in entries:
                self.problems.append(f"{name}: {path}: not in the archive")
            elif path not in lost:
                self._entry(f"{name}: {path}", wanted, entries, path, target)

    def _entry(self, where: str, wanted: dict, entries: dict, path: str, target: bytes) -> None:
        raw, entry = entries[path]
        stored, on_disk = entry_facts(entry), disk_facts(target + raw, wanted)
        known = {*stored, "sha256", "link", "damaged"}
        self.problems += [f"{where}: {name}: not a field of expected.json" for name in wanted.keys() - known]
        for facts, source in ((stored, "archive"), (on_disk, "restored")):
            for name in wanted.keys() & facts.keys():
                if plain(facts[name]) != plain(wanted[name]):
                    self.problems.append(f"{where}: {source} {name} is {facts[name]!r}, expected {wanted[name]!r}")
        if "link" in wanted:
            other_raw, other = entries[wanted["link"]]
            same = os.path.samestat(os.lstat(target + raw), os.lstat(target + other_raw))
            if entry.link_key is None or entry.link_key != other.link_key or not same:
                self.problems.append(f"{where}: not the same file as {wanted['link']}")


def remove(folder: str) -> None:
    """Restored directories may be read-only, which stops everybody but root."""
    for top, names, _ in os.walk(folder.encode()):
        for name in names:
            path = os.path.join(top, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def main(folder: str) -> int:
    passed = failed = 0
    if not os.path.isdir(folder):
        print(f"{folder}: no such directory", file=sys.stderr)
        return 2
    for name in sorted(os.listdir(folder)):
        if not os.path.isfile(os.path.join(folder, name, "expected.json")):
            continue
        scratch = tempfile.mkdtemp(prefix="cairn-reader-")
        try:
            problems = Run(os.path.join(folder, name), scratch).run()
        except Exception as error:  # a crash is a failed repository; the others are still to be read
            problems = [f"{type(error).__name__}: {error}"]
        finally:
            remove(scratch)
        passed, failed = (passed + 1, failed) if not problems else (passed, failed + 1)
        print(f"{name}: ok" if not problems else f"{name}: FAILED: " + "; ".join(problems[:10]))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "repositories")))
