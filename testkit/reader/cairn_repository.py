"""A repository in a directory store: opening it, finding and opening chunks, walking archives."""

import os
import re
import stat
from collections import OrderedDict
from dataclasses import dataclass
from typing import Iterator

import cairn_format as f
from cairn_base import (
    MAX_CONFIG,
    MAX_DIRECTORY_LEVELS,
    MAX_LOG_ENTRY,
    MAX_PACK,
    MAX_SEGMENT,
    FormatError,
    MissingCapability,
    require,
    sha256,
)
from cairn_history import Archive, History
from cairn_keys import Keys
from cairn_tree import DIRECTORY, NO_CONTENT, Content, Entry, parse_chunk_list, parse_tree

#: sort of object: what its name looks like, and its largest size
SORTS = {
    "keys": (r"[0-9a-f]{32}", 256 << 10),
    "packs": (r"[0-9a-f]{64}", MAX_PACK),
    "index": (r"[0-9a-f]{64}", MAX_SEGMENT),
    "log": (r"[0-9a-f]{16}", MAX_LOG_ENTRY),
}


class Store:
    """Reads a directory store. An object that is missing or unreadable is an error, never an empty result."""

    def __init__(self, root: str):
        self.root = os.path.abspath(root)

    def path(self, sort: str, name: str) -> str:
        return os.path.join(self.root, sort, *([name[:2]] if sort == "packs" else []), name)

    def read_config(self) -> bytes:
        return self._read(os.path.join(self.root, "config"), MAX_CONFIG)

    def read(self, sort: str, name: str) -> bytes:
        return self._read(self.path(sort, name), SORTS[sort][1])

    def _read(self, path: str, most: int) -> bytes:
        with open(path, "rb") as stream:
            data = stream.read(most + 1)
        require(len(data) <= most, f"{path}: larger than {most} bytes")
        return data

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        with open(self.path("packs", name), "rb") as stream:
            stream.seek(offset)
            data = stream.read(length)
        require(len(data) == length, f"pack {name}: ends too early")
        return data

    def names(self, sort: str) -> tuple[list, list]:
        """(names of objects, paths that are no objects), both sorted. A sort without objects needs no folder."""
        names: list = []
        strays: list = []
        top = os.path.join(self.root, sort)
        if not os.path.lexists(top):
            return names, strays
        folders = [top]
        if sort == "packs":
            folders = []
            for item in sorted(os.listdir(top)):
                is_folder = re.fullmatch("[0-9a-f]{2}", item) and os.path.isdir(os.path.join(top, item))
                (folders if is_folder else strays).append(os.path.join(top, item))
        for folder in folders:
            for item in sorted(os.listdir(folder)):
                path = os.path.join(folder, item)
                fits = re.fullmatch(SORTS[sort][0], item) and self.path(sort, item) == path
                is_object = fits and stat.S_ISREG(os.lstat(path).st_mode)
                (names if is_object else strays).append(item if is_object else path)
        return names, strays

    def log(self) -> list:
        """The bytes of all slots. A gap means that a slot was lost, and slots are never freed."""
        names, _ = self.names("log")
        for slot, name in enumerate(names, 1):
            require(name == f"{slot:016x}", f"log: slot {slot} is missing, but slot {int(name, 16)} is there")
        return [self.read("log", name) for name in names]


@dataclass(frozen=True)
class Holder:
    """One place where a chunk lies."""

    pack: bytes
    start: int  # from the beginning of the pack
    stored: int
    raw: int
    sid: bytes
    epk: bytes


class Repository:
    def __init__(self, store: Store, keys: Keys, from_packs: bool = False):
        self.store, self.keys = store, keys
        config = store.read_config()
        self.config = f.parse_config(config, keys.need("log"))
        require(self.config["repo"] == keys.repo, "config: of another repository than the key file")
        require(self.config["fingerprint"] == keys.fingerprint, "config: another fingerprint than the key file's")
        self.history = History()
        self.history.replay(config, store.log(), keys.need("log"))
        self.problems: list = self.history.problems()
        self._from_packs = from_packs
        self._index: dict | None = None
        self._sessions: OrderedDict = OrderedDict()

    # --- archives ---

    def archives(self) -> list:
        return [item for item in self.history.archives.values() if not item.dropped and not item.unreadable]

    def find(self, wanted: str) -> Archive:
        """By id in hex, or by name. Hidden archives can be found until they are dropped."""
        found = [item for item in self.archives() if wanted in (item.id.hex(), item.name)]
        require(len(found) > 0, f"no archive is called {wanted!r}")
        require(len(found) == 1, f"several archives are called {wanted!r}: use an id")
        return found[0]

    # --- finding chunks ---

    def index(self) -> dict:
        """(half id, type) → holders. Segments that cannot be read are noted in `problems`."""
        if self._index is None:
            self._index = {}
            if self._from_packs:
                self._index_packs()
            else:
                self._index_segments()
        return self._index

    def _add(self, half: bytes, chunk_type: int, holder: Holder) -> None:
        if holder.pack not in self.history.packs.swept:
            self._index.setdefault((half, chunk_type), {})[holder] = None

    def _index_segments(self) -> None:
        for name in map(bytes.fromhex, self.store.names("index")[0]):
            if name in self.history.segments.swept | self.history.lost_segments:
                continue
            try:
                segment = self.read_segment(name)
            except (FormatError, OSError) as error:
                self.problems.append(f"index segment {name.hex()}: {error}")
                continue
            for half, number, offset, stored, raw, session, chunk_type in segment.records:
                pack = segment.packs[number]
                sid, epk = segment.sessions[pack["firstSession"] + session]
                self._add(half, chunk_type, Holder(pack["name"], pack["dataStart"] + offset, stored, raw, sid, epk))

    def _index_packs(self) -> None:
        for name in self.store.names("packs")[0]:
            try:
                pack = f.parse_pack(self.store.read("packs", name), self.keys.need("loc"), self.keys.repo)
            except (FormatError, OSError) as error:
                self.problems.append(f"pack {name}: {error}")
                continue
            for item in pack.records:
                place = (pack.data_start + item["offset"], item["storedLen"], item["rawLen"])
                holder = Holder(bytes.fromhex(name), *place, *pack.sessions[item["session"]])
                self._add(item["id"][:16], item["type"], holder)

    def read_segment(self, name: bytes) -> f.Segment:
        data = self.store.read("index", name.hex())
        require(sha256(data) == name, "its bytes have another hash than its name")
        return f.parse_segment(data, self.keys.need("loc"), self.keys.repo)

    # --- opening chunks ---

    def id_key(self, chunk_type: int) -> bytes:
        return self.keys.need("idData" if chunk_type == f.DATA else "idMeta")

    def session(self, chunk_type: int, sid: bytes, epk: bytes) -> bytes:
        name = f.session_class(chunk_type)
        secret, public = ("skD", self.keys.pk_data) if name == "data" else ("skM", self.keys.pk_meta)
        key = (name, sid, epk)
        if key not in self._sessions:
            args = (self.keys.need(secret), epk, self.keys.need("psk"), sid, self.keys.repo, public, name)
            self._sessions[key] = f.session_key(*args)
            if len(self._sessions) > 4096:
                self._sessions.popitem(last=False)
        return self._sessions[key]

    def open_chunk(self, chunk_type: int, wanted: bytes, sealed: bytes, sid: bytes, epk: bytes) -> bytes:
        session = self.session(chunk_type, sid, epk)
        return f.open_chunk(session, self.keys.repo, sid, chunk_type, wanted, sealed, self.id_key(chunk_type))

    def read_chunk(self, chunk_type: int, wanted: bytes) -> bytes:
        """Tries all holders: half an id may stand for several chunks, and a copy may be damaged."""
        reasons = []
        for holder in self.index().get((wanted[:16], chunk_type), {}):
            try:
                sealed = self.store.read_range(holder.pack.hex(), holder.start, holder.stored)
                plaintext = self.open_chunk(chunk_type, wanted, sealed, holder.sid, holder.epk)
                require(len(plaintext) == holder.raw, "its length is not the one in the index")
                return plaintext
            except (FormatError, OSError) as error:
                reasons.append(f"in pack {holder.pack.hex()}: {error}")
        raise FormatError(f"chunk {wanted.hex()}: {'; '.join(reasons) or 'no index segment lists it'}")

    # --- content ---

    def leaves(self, content: Content, chunk_type: int) -> Iterator[tuple[bytes, int]]:
        """(id, length) of the chunks of type `chunk_type`, in order; the sums of lists are checked."""
        for wanted, length in content.records:
            if content.level == 0:
                yield wanted, length
                continue
            below = Content(content.level - 1, parse_chunk_list(self.read_chunk(f.LIST, wanted), content.level - 1))
            require(below.length == length, f"chunk list {wanted.hex()}: its lengths do not add up")
            yield from self.leaves(below, chunk_type)

    def content(self, content: Content | None, chunk_type: int) -> Iterator[bytes]:
        for wanted, length in self.leaves(content or NO_CONTENT, chunk_type):
            plaintext = self.read_chunk(chunk_type, wanted)
            require(len(plaintext) == length, f"chunk {wanted.hex()}: another length than its reference says")
            yield plaintext

    def entries(self, directory: Entry) -> Iterator[Entry]:
        return parse_tree(self.content(directory.content, f.TREE))

    def walk(self, archive: Archive, on_error=None) -> Iterator[tuple[bytes, Entry]]:
        """(path, entry) of everything, parents first. Unreadable directories go to `on_error`, or are raised."""
        root = archive.descriptor["root"]
        yield b"/", root
        stack: list = [(b"", self.entries(root))]
        while stack:
            path, entries = stack[-1]
            try:
                entry = next(entries, None)
            except (FormatError, MissingCapability, OSError) as error:
                if on_error is None:
                    raise
                on_error(path or b"/", error)
                entry = None
            if entry is None:
                stack.pop()
                continue
            child = path + b"/" + entry.name
            yield child, entry
            if entry.kind == DIRECTORY:
                require(len(stack) < MAX_DIRECTORY_LEVELS, "tree: more than 4,096 levels of directories")
                stack.append((child, self.entries(entry)))
