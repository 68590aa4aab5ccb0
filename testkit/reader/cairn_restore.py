"""Restores an archive into an empty directory, relative to the current directory: paths may be of any length."""

import os
import stat

import cairn_format as f
from cairn_base import MAX_DIRECTORY_LEVELS, FormatError, MissingCapability, require
from cairn_repository import Repository
from cairn_tree import (
    BLOCK_DEVICE,
    CHARACTER_DEVICE,
    DEVICES,
    DIRECTORY,
    FIFO,
    FILE,
    SOCKET,
    SYMLINK,
    Entry,
    data_ranges,
)

NODE_TYPES = {
    FIFO: stat.S_IFIFO,
    SOCKET: stat.S_IFSOCK,
    CHARACTER_DEVICE: stat.S_IFCHR,
    BLOCK_DEVICE: stat.S_IFBLK,
}
FAILURES = (FormatError, MissingCapability, OSError)


class Restore:
    """One restore. `problems` holds (path, reason) of whatever could not be restored exactly."""

    def __init__(self, repository: Repository):
        self.repository = repository
        self.problems: list = []
        self.is_root = os.geteuid() == 0
        self._links: dict = {}  # link key → path of the first name, from the target
        self._target = -1

    def run(self, root: Entry, target: str) -> None:
        os.makedirs(target, exist_ok=True)
        require(not os.listdir(target), f"{target}: not empty; a restore needs an empty directory")
        before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        mask = os.umask(0o077)
        self._target = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fchdir(self._target)
            self._tree(root)
            os.fchdir(self._target)
            self._metadata(b".", root, b"/")
        finally:
            os.fchdir(before)
            os.umask(mask)
            os.close(self._target)
            os.close(before)

    def _tree(self, root: Entry) -> None:
        # The current directory is always that of the last element.
        stack = [(root, b"", self.repository.entries(root))]
        while stack:
            directory, path, entries = stack[-1]
            try:
                entry = next(entries, None)
            except FAILURES as error:
                self._problem(path or b"/", error)
                entry = None
            if entry is None:
                stack.pop()
                if stack:
                    os.chdir("..")
                    self._metadata(directory.name, directory, path)
                continue
            child = path + b"/" + entry.name
            try:
                if entry.kind == DIRECTORY:
                    require(len(stack) < MAX_DIRECTORY_LEVELS, "more than 4,096 levels of directories")
                    os.mkdir(entry.name)
                    self._enter(entry.name)
                    stack.append((entry, child, self.repository.entries(entry)))
                else:
                    self._leaf(entry, child)
            except FAILURES as error:
                self._problem(child, error)

    @staticmethod
    def _enter(name: bytes) -> None:
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchdir(folder)
        finally:
            os.close(folder)

    def _problem(self, path: bytes, error: object) -> None:
        self.problems.append((path, str(error)))

    def _leaf(self, entry: Entry, path: bytes) -> None:
        first = self._links.get(entry.link_key) if entry.link_key else None
        if first is not None:
            os.link(first, entry.name, src_dir_fd=self._target, follow_symlinks=False)
            return
        if entry.kind == FILE:
            self._file(entry)
        elif entry.kind == SYMLINK:
            os.symlink(entry.target, entry.name)
        elif entry.kind in DEVICES:
            if not self.is_root:
                self._problem(path, "only root can make devices")
                return
            device = os.makedev(entry.device["major"], entry.device["minor"])
            os.mknod(entry.name, NODE_TYPES[entry.kind] | 0o600, device)
        else:
            os.mknod(entry.name, NODE_TYPES[entry.kind] | 0o600)
        self._metadata(entry.name, entry, path)
        if entry.link_key:
            self._links[entry.link_key] = path[1:]

    def _file(self, entry: Entry) -> None:
        handle = os.open(entry.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(handle, entry.size)
            ranges = data_ranges(entry)
            at, room = 0, 0
            for part in self.repository.content(entry.content, f.DATA):
                rest = memoryview(part)
                while len(rest):
                    if room == 0:
                        at, room = next(ranges)
                    written = os.pwrite(handle, rest[:room], at)
                    at, room, rest = at + written, room - written, rest[written:]
        except BaseException:
            os.unlink(entry.name)  # a file with missing parts must not look restored
            raise
        finally:
            os.close(handle)

    def _metadata(self, name: bytes, entry: Entry, path: bytes) -> None:
        """In this order: a change of owner clears capabilities and set-user-ID, a mode may forbid setting xattrs."""
        if self.is_root:
            self._try(path, lambda: os.chown(name, entry.uid, entry.gid, follow_symlinks=False))
        for xattr in entry.xattrs or []:
            self._try(path, lambda: os.setxattr(name, xattr["name"], xattr["value"], follow_symlinks=False))
        if entry.kind != SYMLINK:
            self._try(path, lambda: os.chmod(name, entry.mode))
        times = (entry.mtime, entry.mtime)  # the access time is not kept
        self._try(path, lambda: os.utime(name, ns=times, follow_symlinks=False))

    def _try(self, path: bytes, action) -> None:
        try:
            action()
        except (OSError, OverflowError) as error:
            self._problem(path, error)
