"""Objects of a repository: config, chunks, packs, index segments, log entries (format page, sections 4.1 to 4.6)."""

import struct
from dataclasses import dataclass
from typing import Any

import zstandard

from cairn_base import (
    COUNT,
    MAX_CHUNK,
    MAX_CONFIG,
    MAX_LOG_ENTRY,
    MAX_PACK,
    MAX_PACK_CHUNKS,
    MAX_PACK_SESSIONS,
    MAX_SEGMENT,
    MAX_U53,
    SEAL_OVERHEAD,
    TIME,
    Cursor,
    FormatError,
    UnsupportedError,
    array_of,
    binary,
    boolean,
    chunker_parameters,
    hkdf,
    hmac256,
    label,
    magic,
    open_sealed,
    optional,
    record,
    require,
    string,
    unpack_value,
    x25519,
)

# --- config -----------------------------------------------------------------------------------------------------------

_config = record(
    ("repo", binary(16)),
    ("fingerprint", binary(10)),
    ("created", TIME),
    ("features", array_of(string)),
    ("data", chunker_parameters),
    ("tree", chunker_parameters),
)


def parse_config(data: bytes, log_key: bytes) -> dict:
    require(len(data) <= MAX_CONFIG, "config: larger than 64 KiB")
    cursor = Cursor(data, "config")
    magic(cursor, b"CRNC")
    cursor.zeros(3)
    (length,) = cursor.fields("I")
    body = cursor.take(length)
    signed = data[: cursor.at]
    tag = cursor.take(32)
    cursor.end()
    config = _config(unpack_value(body, "config"), "config")
    # The body names the repository that salts the key of its own tag; a wrong name gives a wrong tag.
    require(hmac256(hkdf(log_key, config["repo"], label("config")), signed) == tag, "config: wrong tag")
    if config["features"]:
        raise UnsupportedError(f"config: features not known to this reader: {', '.join(config['features'])}")
    return config


# --- chunks -----------------------------------------------------------------------------------------------------------

DATA, TREE, LIST = 1, 2, 3
#: codec and rawLen before the payload
CHUNK_HEAD = 5
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def session_class(chunk_type: int) -> str:
    return "data" if chunk_type == DATA else "meta"


def chunk_id(id_key: bytes, chunk_type: int, plaintext: bytes) -> bytes:
    return hmac256(id_key, bytes([chunk_type]) + plaintext)


def session_key(secret: bytes, epk: bytes, psk: bytes, sid: bytes, repo: bytes, public: bytes, name: str) -> bytes:
    return hkdf(x25519(secret, epk) + psk, sid, label(f"session {name}") + repo + epk + public)


def open_chunk(
    session: bytes, repo: bytes, sid: bytes, chunk_type: int, wanted: bytes, sealed: bytes, id_key: bytes
) -> bytes:
    require(chunk_type in (DATA, TREE, LIST), f"chunk: type {chunk_type} is not known")
    require(len(sid) == 16 and len(wanted) == 32, "chunk: the session id or the id has another length")
    require(len(sealed) <= SEAL_OVERHEAD + CHUNK_HEAD + MAX_CHUNK, "chunk: too long")
    tail = bytes([chunk_type]) + wanted
    opened = open_sealed(hmac256(session, label("chunk") + tail), sealed, label("chunk") + repo + sid + tail, "chunk")
    cursor = Cursor(opened, "chunk")
    codec, raw_length = cursor.fields("BI")
    require(1 <= raw_length <= MAX_CHUNK, "chunk: not 1 byte … 8 MiB")
    payload = opened[cursor.at :]
    if codec == 0:
        plaintext = payload
    elif codec == 1:
        plaintext = unzstd(payload, raw_length)
    else:
        raise UnsupportedError(f"chunk: codec {codec} is not known")
    require(len(plaintext) == raw_length, "chunk: its length is not rawLen")
    require(chunk_id(id_key, chunk_type, plaintext) == wanted, "chunk: its content has another id")
    return plaintext


def unzstd(payload: bytes, raw_length: int) -> bytes:
    """Exactly one frame, nothing after it, and never more than raw_length + 1 bytes of output."""
    require(payload[:4] == _ZSTD_MAGIC, "chunk: not a zstd frame")
    try:
        frame = zstandard.get_frame_parameters(payload)
        require(frame.dict_id == 0, "chunk: the zstd frame wants a dictionary")
        require(_frame_length(payload, frame.has_checksum) == len(payload), "chunk: not exactly one zstd frame")
        plaintext = zstandard.ZstdDecompressor().stream_reader(payload).read(raw_length + 1)
    except zstandard.ZstdError as error:
        raise FormatError(f"chunk: zstd: {error}") from error
    require(len(plaintext) == raw_length, "chunk: its length is not rawLen")
    return plaintext


def _frame_length(frame: bytes, has_checksum: bool) -> int:
    """Walks the block headers (RFC 8878, section 3.1.1.2) without decompressing."""
    at = zstandard.frame_header_size(frame)
    last = False
    while not last:
        require(at + 3 <= len(frame), "chunk: the zstd frame ends too early")
        header = int.from_bytes(frame[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        require(kind != 3, "chunk: reserved zstd block type")
        at += 3 + (1 if kind == 1 else size)
    return at + (4 if has_checksum else 0)


# --- packs ------------------------------------------------------------------------------------------------------------

PACK_DATA, PACK_TREE = 1, 2
TYPES_OF_PACK = {PACK_DATA: (DATA,), PACK_TREE: (TREE, LIST)}
SMALLEST_SEALED, LARGEST_SEALED = SEAL_OVERHEAD + CHUNK_HEAD + 1, SEAL_OVERHEAD + CHUNK_HEAD + MAX_CHUNK


@dataclass(frozen=True)
class Pack:
    kind: int
    repo: bytes
    data_start: int
    sessions: list  # of (sid, epk)
    records: list  # of dict: type, session, offset, storedLen, rawLen, id


def parse_pack(data: bytes, loc: bytes, repo: bytes, size: int | None = None) -> Pack:
    """`data` is the object, or its beginning up to the chunks; `size` is the whole object's length."""
    size = len(data) if size is None else size
    require(size <= MAX_PACK, "pack: larger than 64 MiB")
    cursor = Cursor(data, "pack")
    magic(cursor, b"CRNP")
    (kind,) = cursor.fields("B")
    if kind not in TYPES_OF_PACK:
        raise UnsupportedError(f"pack: kind {kind} is not known")
    cursor.zeros(2)
    require(cursor.take(16) == repo, "pack: of another repository")
    salt = cursor.take(16)
    (session_count,) = cursor.fields("H")
    require(1 <= session_count <= MAX_PACK_SESSIONS, "pack: number of sessions is not 1 … 1024")
    cursor.zeros(2)
    (header_length,) = cursor.fields("I")
    sessions = [(cursor.take(16), cursor.take(32)) for _ in range(session_count)]
    prefix = data[: cursor.at]
    require(header_length <= SEAL_OVERHEAD + 4 + 48 * MAX_PACK_CHUNKS, "pack: header too long")
    sealed = cursor.take(header_length)
    header = open_sealed(hkdf(loc, salt, label("pack header")), sealed, label("pack") + prefix, "pack header")
    records = _pack_records(Cursor(header, "pack header"), kind, session_count, size - cursor.at)
    return Pack(kind, repo, cursor.at, sessions, records)


def _pack_records(cursor: Cursor, kind: int, session_count: int, room: int) -> list:
    (count,) = cursor.fields("I")
    require(count <= MAX_PACK_CHUNKS, "pack: more than 65,536 chunks")
    records = []
    for _ in range(count):
        chunk_type, zero, session, offset, stored, raw = cursor.fields("BBHIII")
        wanted = cursor.take(32)
        require(zero == 0, "pack: reserved byte is not zero")
        require(chunk_type in TYPES_OF_PACK[kind], f"pack: chunk of type {chunk_type} in a pack of kind {kind}")
        require(session < session_count, "pack: record of a session that is not there")
        require(SMALLEST_SEALED <= stored <= LARGEST_SEALED, "pack: sealed chunk of an impossible length")
        require(offset + stored <= room, "pack: chunk outside the object")
        require(1 <= raw <= MAX_CHUNK, "pack: chunk not of 1 byte … 8 MiB")
        fields = (chunk_type, session, offset, stored, raw, wanted)
        records.append(dict(zip(("type", "session", "offset", "storedLen", "rawLen", "id"), fields)))
    cursor.end()
    at = 0
    for item in sorted(records, key=lambda item: item["offset"]):
        require(item["offset"] == at, "pack: chunks are not back to back")
        at += item["storedLen"]
    return records


# --- index segments ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    packs: list  # of dict: name, size, dataStart, firstSession, sessionCount, kind
    sessions: list  # of (sid, epk)
    records: list  # of tuple: id half, pack, offset, storedLen, rawLen, session, type


_RECORD = struct.Struct("<16sIIIIHBB")


def parse_segment(data: bytes, loc: bytes, repo: bytes) -> Segment:
    require(len(data) <= MAX_SEGMENT, "index segment: larger than 16 MiB")
    cursor = Cursor(data, "index segment")
    magic(cursor, b"CRNI")
    cursor.zeros(3)
    require(cursor.take(16) == repo, "index segment: of another repository")
    salt = cursor.take(16)
    key = hkdf(loc, salt, label("index segment"))
    plaintext = open_sealed(key, data[40:], label("index") + data[:40], "index segment")
    inner = Cursor(plaintext, "index segment")
    pack_count, session_count, record_count, zero = inner.fields("IIII")
    require(zero == 0, "index segment: reserved bytes are not zero")
    expected = 16 + 48 * pack_count + 48 * session_count + _RECORD.size * record_count
    require(len(plaintext) == expected, "index segment: another length than its counts give")
    packs = [_segment_pack(inner, session_count) for _ in range(pack_count)]
    sessions = [(inner.take(16), inner.take(32)) for _ in range(session_count)]
    return Segment(packs, sessions, _segment_records(inner.take(_RECORD.size * record_count), packs))


def _segment_pack(cursor: Cursor, session_count: int) -> dict:
    name = cursor.take(32)
    size, start, first, count, kind, zero = cursor.fields("IIIHBB")
    require(zero == 0, "index segment: reserved byte is not zero")
    require(kind in TYPES_OF_PACK, f"index segment: pack of kind {kind}")
    require(
        1 <= count <= MAX_PACK_SESSIONS and first + count <= session_count, "index segment: sessions outside the table"
    )
    require(48 + 48 * count + SEAL_OVERHEAD + 4 <= start <= size <= MAX_PACK, "index segment: bounds of a pack")
    return {"name": name, "size": size, "dataStart": start, "firstSession": first, "sessionCount": count, "kind": kind}


def _segment_records(data: bytes, packs: list) -> list:
    records = []
    previous: tuple = ()
    for half, pack, offset, stored, raw, session, chunk_type, zero in _RECORD.iter_unpack(data):
        require(zero == 0, "index segment: reserved byte is not zero")
        require(pack < len(packs), "index segment: record of a pack that is not there")
        about = packs[pack]
        require(chunk_type in TYPES_OF_PACK[about["kind"]], "index segment: chunk type does not fit the pack")
        require(session < about["sessionCount"], "index segment: record of a session that is not there")
        inside = offset + stored <= about["size"] - about["dataStart"]
        require(SMALLEST_SEALED <= stored <= LARGEST_SEALED and inside, "index segment: chunk outside its pack")
        require(1 <= raw <= MAX_CHUNK, "index segment: chunk not of 1 byte … 8 MiB")
        order = (half, pack, offset)
        require(previous < order, "index segment: records do not ascend")
        previous = order
        records.append((half, pack, offset, stored, raw, session, chunk_type))
    return records


# --- log entries ------------------------------------------------------------------------------------------------------

COMMIT, DELETE, UNDELETE, ANNOTATE, PIN, UNPIN, CONDEMN, SWEEP, INDEX, CHECK, RESCUE = range(1, 12)

_ids = array_of(binary(16))
_names = array_of(binary(32))
_reason = record(("reason", string))
_empty = record()
_any_array = array_of(lambda value, where: value)

#: kind: (public part, sealed part). The sealed part of a COMMIT is the descriptor, see cairn_tree.
LOG_SHAPES = {
    COMMIT: (
        record(
            ("archive", binary(16)),
            ("base", optional(binary(16))),
            ("segments", _names),
            ("rescuedPacks", _names),
            ("rescuedSegments", _names),
        ),
        _any_array,
    ),
    DELETE: (record(("archives", _ids)), _reason),
    UNDELETE: (record(("archives", _ids)), _reason),
    ANNOTATE: (
        record(("archives", _ids), ("protect", optional(boolean))),
        record(("name", optional(string)), ("comment", optional(string)), ("tags", optional(array_of(string)))),
    ),
    PIN: (record(("pin", binary(16)), ("archives", _ids), ("until", TIME)), record(("holder", string))),
    UNPIN: (record(("pin", binary(16))), _empty),
    CONDEMN: (record(("archives", _ids), ("packs", _names), ("segments", _names)), _reason),
    SWEEP: (record(("packs", _names), ("segments", _names)), _empty),
    INDEX: (record(("segments", _names)), _empty),
    CHECK: (
        _empty,
        record(
            ("started", TIME),
            ("ended", TIME),
            ("level", string),
            ("objects", COUNT),
            ("bytes", COUNT),
            ("findings", COUNT),
            ("damage", array_of(record(("pack", binary(32)), ("places", optional(array_of(COUNT)))))),
            ("lostSegments", _names),
        ),
    ),
    RESCUE: (record(("packs", _names), ("segments", _names)), _reason),
}


@dataclass(frozen=True)
class LogEntry:
    kind: int
    seq: int
    previous: bytes
    time: int
    public: dict
    sealed: Any  # dict; for a COMMIT the array of the descriptor; None when it cannot be read
    public_bytes: bytes
    sealed_bytes: bytes
    unreadable: str = ""  # why


# Kinds that take nothing away: when the sealed part cannot be read, the public part counts all the same.
PASSED_OVER = (COMMIT, INDEX, RESCUE, PIN, UNPIN)


def parse_log_entry(data: bytes, log_key: bytes, pass_over: bool = False) -> LogEntry:
    """With `pass_over`, an entry of such a kind is given with `sealed` None when its sealed part cannot be read."""
    require(len(data) <= MAX_LOG_ENTRY, "log entry: larger than 4 MiB")
    cursor = Cursor(data, "log entry")
    magic(cursor, b"CRNL")
    (kind,) = cursor.fields("B")
    cursor.zeros(2)
    (seq,) = cursor.fields("Q")
    previous = cursor.take(32)
    (time,) = cursor.fields("q")
    salt = cursor.take(16)
    public_length, sealed_length = cursor.fields("II")
    public_bytes = cursor.take(public_length)
    prefix = data[: cursor.at]
    sealed = cursor.take(sealed_length)
    cursor.end()
    require(1 <= seq <= MAX_U53, "log entry: sequence number out of range")
    if kind not in LOG_SHAPES:
        raise UnsupportedError(f"log entry: kind {kind} is not known")
    public_shape, sealed_shape = LOG_SHAPES[kind]
    public = public_shape(unpack_value(public_bytes, "log entry: public part"), "log entry: public part")
    key = hkdf(log_key, salt, label("log entry"))
    try:
        sealed_bytes = open_sealed(key, sealed, label("log") + prefix, "log entry")
        inner = sealed_shape(unpack_value(sealed_bytes, "log entry: sealed part"), "log entry: sealed part")
    except FormatError as error:
        if not pass_over or kind not in PASSED_OVER:
            raise
        return LogEntry(kind, seq, previous, time, public, None, public_bytes, b"", str(error))
    return LogEntry(kind, seq, previous, time, public, inner, public_bytes, sealed_bytes)
