"""Checks a whole repository: names, log chain, index against packs, every chunk, every reference of every archive."""

import os

import cairn_format as f
from cairn_base import FormatError, MissingCapability, require, sha256
from cairn_keys import Keys, parse_slot
from cairn_repository import Repository, Store
from cairn_tree import DIRECTORY, FILE, NO_CONTENT

FAILURES = (FormatError, OSError)


class Check:
    """`problems` are sentences; `counts` says how much was looked at."""

    def __init__(self, store: Store, keys: Keys):
        self.store, self.keys = store, keys
        self.problems: list = []
        self.counts: dict = dict.fromkeys(("objects", "bytes", "chunks", "unopened chunks", "entries", "archives"), 0)
        self._packs: dict = {}  # name → (size, Pack)
        self._good: dict = {}  # (type, id) → length, of chunks that opened
        self._unopened: dict = {}  # the same, of chunks whose session this key file cannot compute

    def run(self) -> None:
        try:
            repository = Repository(self.store, self.keys)
        except FAILURES as error:
            self.problems.append(str(error))
            repository = None
        for sort in ("keys", "packs", "index"):
            self._objects(sort, repository)
        for sort in ("keys", "packs", "index", "log"):
            self.problems += [f"{path}: no object belongs here" for path in self.store.names(sort)[1]]
        if repository is not None:
            self.counts["objects"] += 1 + repository.history.length
            self._listed(repository)
            for archive in repository.archives():
                self._archive(repository, archive)
            self.problems += [item for item in repository.problems if item not in self.problems]

    def _objects(self, sort: str, repository: Repository | None) -> None:
        for name in self.store.names(sort)[0]:
            try:
                data = self.store.read(sort, name)
                self.counts["objects"] += 1
                self.counts["bytes"] += len(data)
                if sort == "keys":
                    self._slot(name, data)
                    continue
                require(sha256(data).hex() == name, "its bytes have another hash than its name")
                if repository is not None:
                    self._pack(repository, name, data) if sort == "packs" else self._segment(data)
            except FAILURES as error:
                self.problems.append(f"{sort} {name}: {error}")

    def _slot(self, name: str, data: bytes) -> None:
        try:
            slot = parse_slot(data.decode())
        except UnicodeDecodeError as error:
            raise FormatError("key slot: not UTF-8") from error
        require(slot["uid"].hex() == name, "key slot: its uid is not its name")
        require(slot["repository"] == self.keys.repo, "key slot: of another repository")

    def _pack(self, repository: Repository, name: str, data: bytes) -> None:
        pack = f.parse_pack(data, self.keys.need("loc"), self.keys.repo)
        self._packs[bytes.fromhex(name)] = (len(data), pack)
        for item in pack.records:
            key = (item["type"], item["id"])
            start = pack.data_start + item["offset"]
            try:
                plaintext = repository.open_chunk(
                    *key, data[start : start + item["storedLen"]], *pack.sessions[item["session"]]
                )
                require(len(plaintext) == item["rawLen"], "its length is not the one in the pack's header")
                self._good[key] = len(plaintext)
                self.counts["chunks"] += 1
            except MissingCapability:
                self._unopened[key] = item["rawLen"]
                self.counts["unopened chunks"] += 1
            except FormatError as error:
                self.problems.append(f"packs {name}: chunk {item['id'].hex()}: {error}")

    def _segment(self, data: bytes) -> None:
        """Against the packs that are there; whether packs are missing is for `_listed`."""
        segment = f.parse_segment(data, self.keys.need("loc"), self.keys.repo)
        expected: dict = {number: set() for number in range(len(segment.packs))}
        for half, number, *rest in segment.records:
            expected[number].add((half, *rest))
        for number, about in enumerate(segment.packs):
            if about["name"] not in self._packs:
                continue
            size, pack = self._packs[about["name"]]
            first = about["firstSession"]
            sessions = segment.sessions[first : first + about["sessionCount"]]
            there = {
                (r["id"][:16], r["offset"], r["storedLen"], r["rawLen"], r["session"], r["type"]) for r in pack.records
            }
            same = (size, pack.data_start, pack.kind) == (about["size"], about["dataStart"], about["kind"])
            require(
                same and sessions == pack.sessions and expected[number] == there,
                f"contradicts the header of pack {about['name'].hex()}",
            )

    def _listed(self, repository: Repository) -> None:
        """What the log counts as present has to be there."""
        swept = repository.history.packs.swept
        for name in repository.history.live_segments():
            try:
                segment = repository.read_segment(name)
            except FAILURES as error:
                self.problems.append(f"index {name.hex()}: {error}")
                continue
            for about in segment.packs:
                path = self.store.path("packs", about["name"].hex())
                if about["name"] not in swept and not os.path.exists(path):
                    self.problems.append(f"packs {about['name'].hex()}: missing, index {name.hex()} lists it")

    def _archive(self, repository: Repository, archive) -> None:
        self.counts["archives"] += 1

        def report(path: bytes, error: object) -> None:
            self.problems.append(f"archive {archive.name}: {os.fsdecode(path)!r}: {error}")

        try:
            for path, entry in repository.walk(archive, report):
                self.counts["entries"] += 1
                if entry.kind in (FILE, DIRECTORY):
                    chunk_type = f.DATA if entry.kind == FILE else f.TREE
                    try:
                        for wanted, length in repository.leaves(entry.content or NO_CONTENT, chunk_type):
                            self._reference(repository, chunk_type, wanted, length)
                    except FAILURES as error:
                        report(path, error)
        except (*FAILURES, MissingCapability) as error:
            report(b"/", error)

    def _reference(self, repository: Repository, chunk_type: int, wanted: bytes, length: int) -> None:
        key = (chunk_type, wanted)
        there = self._good.get(key, self._unopened.get(key))
        require(there is not None, f"chunk {wanted.hex()} is nowhere")
        require(there == length, f"chunk {wanted.hex()} has another length than its reference says")
        listed = (wanted[:16], chunk_type) in repository.index()
        require(listed, f"chunk {wanted.hex()} is there, but no index segment lists it")
