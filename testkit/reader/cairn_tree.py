"""Trees, content references and archive descriptors (format page, sections 4.7 and 4.8)."""

from dataclasses import dataclass
from typing import Any, Iterable, Iterator

from cairn_base import (
    COUNT,
    MAX_CHUNK,
    MAX_ENTRY_RECORDS,
    MAX_HOLES,
    MAX_LIST_LEVELS,
    MAX_LIST_RECORDS,
    MAX_NAME,
    MAX_TARGET,
    MAX_TREE_ENTRY,
    MAX_U32,
    MAX_U53,
    MAX_XATTR_VALUE,
    MAX_XATTRS,
    TIME,
    Shape,
    array_of,
    binary,
    boolean,
    chunker_parameters,
    integer,
    optional,
    record,
    require,
    string,
    unpack_value,
)

FILE, DIRECTORY, SYMLINK, FIFO, CHARACTER_DEVICE, BLOCK_DEVICE, SOCKET = range(1, 8)
KIND_NAMES = {
    FILE: "file",
    DIRECTORY: "directory",
    SYMLINK: "symlink",
    FIFO: "fifo",
    CHARACTER_DEVICE: "character-device",
    BLOCK_DEVICE: "block-device",
    SOCKET: "socket",
}
DEVICES = (CHARACTER_DEVICE, BLOCK_DEVICE)
CHANGED = 1
RECORD_SIZE = 40


@dataclass(frozen=True)
class Content:
    level: int
    records: list  # of (id, length)

    @property
    def length(self) -> int:
        return sum(length for _, length in self.records)


NO_CONTENT = Content(0, [])


def parse_records(data: bytes, level: int, most: int, what: str) -> list:
    """A run of (id, length). `level` is that of these records: at 0 they are chunks of content."""
    require(len(data) % RECORD_SIZE == 0, f"{what}: not a run of records")
    require(len(data) // RECORD_SIZE <= most, f"{what}: more than {most} records")
    require(0 <= level <= MAX_LIST_LEVELS, f"{what}: level {level}")
    records = []
    for at in range(0, len(data), RECORD_SIZE):
        length = int.from_bytes(data[at + 32 : at + RECORD_SIZE], "little")
        require(length > 0, f"{what}: record of nothing")
        require(level > 0 or length <= MAX_CHUNK, f"{what}: chunk larger than 8 MiB")
        records.append((data[at : at + 32], length))
    require(sum(length for _, length in records) <= MAX_U53, f"{what}: sum of lengths beyond 53 bits")
    return records


def parse_chunk_list(data: bytes, level: int) -> list:
    require(len(data) > 0, "chunk list: empty")
    return parse_records(data, level, MAX_LIST_RECORDS, "chunk list")


def _content(value: object, where: str) -> Content:
    fields = record(("level", integer(0, MAX_LIST_LEVELS)), ("run", binary()))(value, where)
    require(fields["run"] or fields["level"] == 0, f"{where}: an empty content of level {fields['level']}")
    return Content(fields["level"], parse_records(fields["run"], fields["level"], MAX_ENTRY_RECORDS, where))


_xattr = record(("name", binary(1, MAX_NAME)), ("value", binary(0, MAX_XATTR_VALUE)))
_hole = record(("offset", COUNT), ("length", integer(1, MAX_U53)))
_u32 = integer(0, MAX_U32)


def _some(shape: Shape) -> Shape:
    """An array that is nil when there is nothing in it."""

    def check(value: Any, where: str) -> list:
        require(value != [], f"{where}: an empty array instead of nil")
        return shape(value, where)

    return optional(check)


_entry = record(
    ("name", binary(0, MAX_NAME)),
    ("kind", integer(1, 7)),
    ("mode", integer(0, 0o7777)),
    ("uid", _u32),
    ("gid", _u32),
    ("mtime", TIME),
    ("ctime", TIME),
    ("size", COUNT),
    ("inode", integer(0)),
    ("user", optional(string)),
    ("group", optional(string)),
    ("link", optional(COUNT)),
    ("device", optional(record(("major", _u32), ("minor", _u32)))),
    ("target", optional(binary(1, MAX_TARGET))),
    ("xattrs", _some(array_of(_xattr))),
    ("flags", optional(_u32)),
    ("holes", _some(array_of(_hole, MAX_HOLES))),
    ("content", optional(_content)),
    ("state", integer(0, CHANGED)),
)


@dataclass(frozen=True)
class Entry:
    name: bytes
    kind: int
    mode: int
    uid: int
    gid: int
    mtime: int
    ctime: int
    size: int
    inode: int
    user: str | None
    group: str | None
    link: int | None
    device: dict | None
    target: bytes | None
    xattrs: list | None
    flags: int | None
    holes: list | None
    content: Content | None
    state: int

    @property
    def link_key(self) -> tuple | None:
        return None if self.link is None else (self.link, self.inode)


def check_name(name: bytes) -> None:
    require(1 <= len(name) <= MAX_NAME, "tree: a name is not 1 … 255 bytes")
    require(b"/" not in name and b"\0" not in name and name not in (b".", b".."), f"tree: forbidden name {name!r}")


def parse_entry(data: bytes, is_root: bool = False) -> Entry:
    require(len(data) <= MAX_TREE_ENTRY, "tree: entry larger than 2 MiB")
    entry = Entry(**_entry(unpack_value(data, "tree entry"), "tree entry"))
    if is_root:
        require(entry.name == b"" and entry.kind == DIRECTORY, "archive: the root is not a directory without a name")
    else:
        check_name(entry.name)
    require((entry.device is not None) == (entry.kind in DEVICES), "tree: device numbers and kind do not agree")
    require((entry.target is not None) == (entry.kind == SYMLINK), "tree: symlink target and kind do not agree")
    require(entry.target is None or b"\0" not in entry.target, "tree: NUL in a symlink target")
    has_content = entry.kind in (FILE, DIRECTORY)
    require((entry.content is not None) == has_content, "tree: content and kind do not agree")
    require(entry.holes is None or entry.kind == FILE, "tree: holes of a kind that has none")
    require(entry.size == 0 or entry.kind == FILE, "tree: size of a kind that has none")
    _check_xattrs(entry.xattrs or [])
    if entry.kind == FILE:
        _check_holes(entry)
    return entry


def _check_xattrs(xattrs: list) -> None:
    names = [xattr["name"] for xattr in xattrs]
    require(all(a < b for a, b in zip(names, names[1:])), "tree: xattrs do not ascend")
    require(all(b"\0" not in name for name in names), "tree: NUL in the name of an xattr")
    total = sum(len(xattr["name"]) + len(xattr["value"]) for xattr in xattrs)
    require(total <= MAX_XATTRS, "tree: xattrs larger than 1 MiB")


def _check_holes(entry: Entry) -> None:
    end, total = -1, 0
    for hole in entry.holes or []:
        require(hole["offset"] > end, "tree: holes do not ascend, or touch")
        end = hole["offset"] + hole["length"]
        total += hole["length"]
    require(end <= entry.size, "tree: a hole beyond the end")
    length = (entry.content or NO_CONTENT).length
    require(length + total == entry.size, "tree: content and holes do not add up to the size")


def data_ranges(entry: Entry) -> Iterator[tuple[int, int]]:
    """(offset, length) of what is not a hole: where the content goes, in order."""
    at = 0
    for hole in entry.holes or []:
        if hole["offset"] > at:
            yield at, hole["offset"] - at
        at = hole["offset"] + hole["length"]
    if entry.size > at:
        yield at, entry.size - at


def entry_bytes(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Splits a directory's stream, given in parts, into the bytes of its entries."""
    buffer = bytearray()
    for part in parts:
        buffer += part
        at = 0
        while len(buffer) - at >= 4:
            length = int.from_bytes(buffer[at : at + 4], "little")
            require(length <= MAX_TREE_ENTRY, "tree: entry larger than 2 MiB")
            if len(buffer) - at < 4 + length:
                break
            yield bytes(buffer[at + 4 : at + 4 + length])
            at += 4 + length
        del buffer[:at]
    require(not buffer, "tree: the stream ends inside an entry")


def parse_tree(parts: Iterable[bytes]) -> Iterator[Entry]:
    previous = b""
    for data in entry_bytes(parts):
        entry = parse_entry(data)
        require(previous < entry.name, "tree: names do not ascend")
        previous = entry.name
        yield entry


# --- archive descriptor -----------------------------------------------------------------------------------------------

_stats = record(
    *((name, COUNT) for name in ("files", "directories", "others")),
    *((name, COUNT) for name in ("bytes", "newBytes", "storedBytes", "chunks", "newChunks")),
)
_descriptor = record(
    ("archive", binary(16)),
    ("series", string),
    ("name", string),
    ("host", string),
    ("user", string),
    ("start", TIME),
    ("end", TIME),
    ("paths", array_of(binary())),
    ("root", binary(1, MAX_TREE_ENTRY)),
    ("stats", _stats),
    ("warnings", array_of(record(("kind", string), ("count", COUNT)))),
    ("data", chunker_parameters),
    ("tree", chunker_parameters),
    ("parent", optional(binary(16))),
    ("complete", boolean),
    ("program", string),
    ("tags", array_of(string)),
    ("comment", string),
)


def parse_descriptor(value: object) -> dict:
    """`root` comes back as an Entry."""
    descriptor = _descriptor(value, "archive descriptor")
    descriptor["root"] = parse_entry(descriptor["root"], is_root=True)
    return descriptor
