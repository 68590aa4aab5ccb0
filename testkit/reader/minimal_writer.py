"""Makes small objects by the format page, for the reader's own tests only. Deterministic: `random` counts."""

import base64
import hashlib
import json
import os
import struct

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cairn_base import hkdf, hmac256, label, pack_value, sha256, x25519, x25519_public
from cairn_keys import fingerprint_of, keys_of_root

ROOT = bytes(range(32))
REPO = bytes(range(0x40, 0x50))
KEYS = keys_of_root(ROOT, REPO)
CHUNKERS = [[524288, 1048576, 8388608], [16384, 65536, 524288]]
START = 1_795_248_902_000_000_007

_counter = 0


def random(length: int) -> bytes:
    global _counter
    _counter += 1
    return hashlib.shake_256(b"test %d" % _counter).digest(length)


def seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    nonce = random(12)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


# --- keys -------------------------------------------------------------------------------------------------------------

HELD = {
    "read": ("skD", "skM", "psk", "idData", "idMeta", "loc", "log"),
    "maintain": ("skM", "psk", "idMeta", "loc", "log"),
    "write": ("psk", "idData", "idMeta", "cdc", "loc", "log"),
    "root": ("root",),
}


def key_values(rights: str) -> list:
    def held(name: str) -> bytes | None:
        return KEYS.held[name] if name in HELD[rights] else None

    middle = [held(name) for name in ("psk", "idData", "idMeta", "cdc", "loc", "log")]
    return [1, REPO, held("root"), held("skD"), held("skM"), KEYS.pk_data, KEYS.pk_meta, *middle, START, rights]


def armor(values: list, repo: bytes = REPO) -> str:
    data = pack_value(values)
    body = base64.b64encode(data + sha256(label("key file") + data)[:8]).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    head = ["-----BEGIN CAIRN KEY-----", "rights: test", f"repository: {repo.hex()}", ""]
    return "\n".join([*head, *lines, "-----END CAIRN KEY-----", ""])


def recovery(version: int = 1) -> str:
    start = bytes([version]) + REPO + ROOT
    raw = start + sha256(label("recovery key") + start)[:4]
    text = base64.b32encode(raw).decode().rstrip("=")
    return "-".join(text[at : at + 5] for at in range(0, 85, 5))


def paper() -> list:
    raw = base64.b32decode(recovery().replace("-", "") + "===")
    lines = []
    for number in range(1, 10):
        part = raw[6 * number - 6 : 6 * number]
        digits = (part + sha256(label("paper line") + bytes([number]) + part)[:2]).hex()
        lines.append(f"{number:2}: " + " ".join(digits[at : at + 4] for at in range(0, len(digits), 4)))
    return lines


def slot(text: str, passphrase: str, memory_kib: int = 65536) -> dict:
    from argon2.low_level import Type, hash_secret_raw

    uid, salt = random(16), random(32)
    secret = hash_secret_raw(passphrase.encode(), salt, 3, memory_kib, 4, 64, Type.ID)
    fingerprint = KEYS.fingerprint
    header = label("slot") + REPO + fingerprint + uid + struct.pack("<III", memory_kib, 3, 4) + salt
    return {
        "cairn": 1,
        "uid": uid.hex(),
        "repository": REPO.hex(),
        "fingerprint": fingerprint.hex(),
        "rights": "read",
        "label": "test",
        "created": "2026-11-21T08:00:00Z",
        "kind": "passphrase",
        "kdf": {"name": "argon2id", "memoryKiB": memory_kib, "passes": 3, "lanes": 4, "salt": salt.hex()},
        "commitment": hmac256(secret[32:], header).hex(),
        "sealed": seal(secret[:32], text.encode(), header).hex(),
    }


# --- objects ----------------------------------------------------------------------------------------------------------


def config(features: list | None = None, fingerprint: bytes | None = None) -> bytes:
    fingerprint = fingerprint or fingerprint_of(REPO, KEYS.pk_data, KEYS.pk_meta)
    body = pack_value([REPO, fingerprint, START, features or [], *CHUNKERS])
    start = b"CRNC\1\0\0\0" + struct.pack("<I", len(body)) + body
    return start + hmac256(hkdf(KEYS.held["log"], REPO, label("config")), start)


class Session:
    def __init__(self) -> None:
        self.sid, self.esk = random(16), random(32)
        self.epk = x25519_public(self.esk)

    def key(self, chunk_type: int) -> bytes:
        name, public = ("data", KEYS.pk_data) if chunk_type == 1 else ("meta", KEYS.pk_meta)
        info = label(f"session {name}") + REPO + self.epk + public
        return hkdf(x25519(self.esk, public) + KEYS.held["psk"], self.sid, info)

    def seal(self, chunk_type: int, plaintext: bytes, codec: int = 0, payload: bytes | None = None) -> tuple:
        """(id, sealed, rawLen)"""
        wanted = identify(chunk_type, plaintext)
        tail = bytes([chunk_type]) + wanted
        if payload is None:
            payload = zstandard.ZstdCompressor().compress(plaintext) if codec else plaintext
        inner = bytes([codec]) + struct.pack("<I", len(plaintext)) + payload
        key = hmac256(self.key(chunk_type), label("chunk") + tail)
        return wanted, seal(key, inner, label("chunk") + REPO + self.sid + tail), len(plaintext)


def identify(chunk_type: int, plaintext: bytes) -> bytes:
    return hmac256(KEYS.held["idData" if chunk_type == 1 else "idMeta"], bytes([chunk_type]) + plaintext)


def pack(session: Session, kind: int, chunks: list, padding: int = 0) -> bytes:
    """`chunks` are (type, id, sealed, rawLen)."""
    header, body = struct.pack("<I", len(chunks)), b""
    for chunk_type, wanted, sealed, raw in chunks:
        header += struct.pack("<BBHIII", chunk_type, 0, 0, len(body), len(sealed), raw) + wanted
        body += sealed
    return pack_of(session, kind, header, body + random(padding))


def pack_of(session: Session, kind: int, header: bytes, body: bytes, reserved: int = 0) -> bytes:
    salt = random(16)
    start = b"CRNP\1" + bytes([kind, 0, 0]) + REPO + salt + struct.pack("<HHI", 1, reserved, len(header) + 28)
    start += session.sid + session.epk
    sealed_header = seal(hkdf(KEYS.held["loc"], salt, label("pack header")), header, label("pack") + start)
    return start + sealed_header + body


def segment(session: Session, packs: list) -> bytes:
    """`packs` are (object, kind, chunks), all of one session."""
    table, records = b"", []
    for number, (data, kind, chunks) in enumerate(packs):
        start = 96 + 28 + 4 + 48 * len(chunks)
        table += sha256(data) + struct.pack("<IIIHBB", len(data), start, 0, 1, kind, 0)
        offset = 0
        for chunk_type, wanted, sealed, raw in chunks:
            fields = struct.pack("<IIIIHBB", number, offset, len(sealed), raw, 0, chunk_type, 0)
            records.append(((wanted[:16], number, offset), wanted[:16] + fields))
            offset += len(sealed)
    records.sort()
    plaintext = struct.pack("<IIII", len(packs), 1, len(records), 0) + table + session.sid + session.epk
    plaintext += b"".join(data for _, data in records)
    return segment_of(plaintext)


def segment_of(plaintext: bytes) -> bytes:
    salt = random(16)
    start = b"CRNI\1\0\0\0" + REPO + salt
    return start + seal(hkdf(KEYS.held["loc"], salt, label("index segment")), plaintext, label("index") + start)


def log_entry(kind: int, seq: int, previous: bytes, public: list, sealed: list) -> bytes:
    part, inner, salt = pack_value(public), pack_value(sealed), random(16)
    start = b"CRNL\1" + bytes([kind, 0, 0]) + struct.pack("<Q", seq) + previous + struct.pack("<q", START) + salt
    start += struct.pack("<II", len(part), len(inner) + 28) + part
    return start + seal(hkdf(KEYS.held["log"], salt, label("log entry")), inner, label("log") + start)


def entry(name: bytes, kind: int = 1, mode: int = 0o644, **fields: object) -> list:
    defaults: dict = dict(
        uid=os.getuid(), gid=os.getgid(), mtime=START, ctime=START, size=0, inode=7, user=None, group=None,
        link=None, device=None, target=None, xattrs=None, flags=None, holes=None, content=None, state=0,
    )  # fmt: skip
    assert fields.keys() <= defaults.keys()
    if kind in (1, 2):
        defaults["content"] = [0, b""]
    return [name, kind, mode, *(defaults | fields).values()]


def stream(entries: list) -> bytes:
    encoded = [pack_value(item) for item in sorted(entries, key=lambda item: item[0])]
    return b"".join(struct.pack("<I", len(data)) + data for data in encoded)


def run(records: list) -> bytes:
    return b"".join(wanted + struct.pack("<Q", length) for wanted, length in records)


def descriptor(archive: bytes, root: list, name: str = "home-2026-11-21T08-15-02Z") -> list:
    stats = [1, 1, 0, 5, 5, 5, 1, 1]
    return [
        archive, "home", name, "host", "user", START, START + 1, [b"/src"], pack_value(root), stats, [["vanished", 1]],
        *CHUNKERS, None, True, "test", ["t"], "a comment",
    ]  # fmt: skip


class RepositoryWriter:
    """A whole repository of one session in a directory."""

    def __init__(self, folder: str):
        self.folder, self.session = folder, Session()
        self.data_chunks: list = []
        self.tree_chunks: list = []
        self.seq = 0
        start = config()
        self._put("config", start)
        self.head = sha256(start)

    def _put(self, path: str, data: bytes) -> None:
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)

    def add(self, chunk_type: int, plaintext: bytes, codec: int = 1) -> tuple:
        wanted, sealed, raw = self.session.seal(chunk_type, plaintext, codec)
        (self.data_chunks if chunk_type == 1 else self.tree_chunks).append((chunk_type, wanted, sealed, raw))
        return wanted, raw

    def directory(self, entries: list, cut: int = 100) -> list:
        """The content reference of a directory, in chunks of `cut` bytes: entries lie across their bounds."""
        data = stream(entries)
        parts = [data[at : at + cut] for at in range(0, len(data), cut)]
        return self.listed([self.add(2, part) for part in parts])

    def listed(self, records: list, each: int = 64) -> list:
        level = 0
        while len(records) > 64:
            level += 1
            groups = [records[at : at + each] for at in range(0, len(records), each)]
            records = [(self.add(3, run(group))[0], sum(length for _, length in group)) for group in groups]
        return [level, run(records)]

    def append(self, kind: int, public: list, sealed: list) -> None:
        self.seq += 1
        data = log_entry(kind, self.seq, self.head, public, sealed)
        self._put(f"log/{self.seq:016x}", data)
        self.head = sha256(data)

    def upload(self) -> list:
        """Writes what was added as packs and one segment; returns the names of segments."""
        packs = []
        for kind, chunks in ((1, self.data_chunks), (2, self.tree_chunks)):
            if chunks:
                data = pack(self.session, kind, chunks, padding=11)
                packs.append((data, kind, chunks))
                name = sha256(data).hex()
                self._put(f"packs/{name[:2]}/{name}", data)
        data = segment(self.session, packs)
        self._put(f"index/{sha256(data).hex()}", data)
        self.data_chunks, self.tree_chunks = [], []
        return [sha256(data)]

    def commit(self, root: list, archive: bytes, name: str = "home-2026-11-21T08-15-02Z") -> None:
        self.append(1, [archive, None, self.upload(), [], []], descriptor(archive, root, name))

    def put_slot(self, value: dict) -> None:
        self._put(f"keys/{value['uid']}", json.dumps(value).encode())
