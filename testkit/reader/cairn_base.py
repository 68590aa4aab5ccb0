"""Errors, limits, cryptographic primitives and canonical MessagePack (format page, sections 1 and 6)."""

import hashlib
import hmac
import struct
from typing import Any, Callable

import msgpack
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KIB, MIB = 1 << 10, 1 << 20

#: `u32` and `u53` of the page
MAX_U32, MAX_U53 = (1 << 32) - 1, (1 << 53) - 1

MIN_CHUNK_PARAMETER, MAX_CHUNK = KIB, 8 * MIB
MAX_PACK, MAX_PACK_CHUNKS, MAX_PACK_SESSIONS = 64 * MIB, 65_536, 1024
MAX_SEGMENT = 16 * MIB + 68
MAX_LOG_ENTRY, MAX_CONFIG, MAX_KEY_TEXT = 4 * MIB, 64 * KIB, 256 * KIB
MAX_TREE_ENTRY, MAX_NAME, MAX_TARGET = 2 * MIB, 255, 4095
MAX_XATTR_VALUE, MAX_XATTRS = 64 * KIB, MIB
MAX_HOLES, MAX_DIRECTORY_LEVELS, MAX_LIST_LEVELS = 4096, 4096, 4
MAX_NESTING, MAX_ITEMS = 16, 1_000_000
MAX_ENTRY_RECORDS, MAX_LIST_RECORDS = 64, 16_384

#: nonce and tag: what `seal` adds to a plaintext.
SEAL_OVERHEAD = 12 + 16


class FormatError(Exception):
    """Bytes contradict the format page. Nothing of them may be used."""


class UnsupportedError(FormatError):
    """Well-formed, but of a version, kind or feature this reader does not know."""


class MissingCapability(Exception):
    """The key file does not hold what the request needs."""


def require(condition: bool, message: str) -> None:
    if not condition:
        raise FormatError(message)


# --- primitives -------------------------------------------------------------------------------------------------------


def label(text: str) -> bytes:
    return b"cairn/1 " + text.encode("ascii") + b"\0"


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hmac256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(ikm: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """RFC 5869 with SHA-256, both steps."""
    key = hmac256(salt, ikm)
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac256(key, block + info + bytes([counter]))
        out += block
        counter += 1
    return out[:length]


def x25519_public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def x25519(secret: bytes, public: bytes) -> bytes:
    require(len(secret) == 32 and len(public) == 32, "an X25519 key has 32 bytes")
    try:
        shared = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:  # the library refuses the all-zero result itself
        raise FormatError("X25519 refused the public key") from error
    require(shared != bytes(32), "X25519 gave the all-zero result")
    return shared


def open_sealed(key: bytes, sealed: bytes, aad: bytes, what: str) -> bytes:
    """Undoes `seal`: nonce ‖ ciphertext ‖ tag."""
    require(len(sealed) >= SEAL_OVERHEAD, f"{what}: too short to be sealed")
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], aad)
    except InvalidTag as error:
        raise FormatError(f"{what}: does not open (altered, or sealed for another key)") from error


class Cursor:
    """Reads fixed layouts front to back. Every overrun is a FormatError."""

    def __init__(self, data: bytes, what: str):
        self.data, self.what, self.at = data, what, 0

    def take(self, length: int) -> bytes:
        end = self.at + length
        require(end <= len(self.data), f"{self.what}: ends too early")
        part = self.data[self.at : end]
        self.at = end
        return part

    def fields(self, layout: str) -> tuple:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def zeros(self, length: int) -> None:
        require(self.take(length) == bytes(length), f"{self.what}: reserved bytes are not zero")

    def end(self) -> None:
        require(self.at == len(self.data), f"{self.what}: trailing bytes")


def magic(cursor: Cursor, expected: bytes) -> None:
    require(cursor.take(4) == expected, f"{cursor.what}: does not begin with {expected.decode()}")
    (version,) = cursor.fields("B")
    if version != 1:
        raise UnsupportedError(f"{cursor.what}: version {version} is not known")


# --- canonical MessagePack --------------------------------------------------------------------------------------------


def pack_value(value: Any) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


def _refuse_extension(code: int, _data: bytes) -> None:
    raise ValueError(f"extension type {code}")


def unpack_value(data: bytes, what: str) -> Any:
    """Decodes exactly one canonical value. python3-msgpack alone is too lax: hence the last line."""
    try:
        value = msgpack.unpackb(
            data, raw=False, use_list=True, strict_map_key=True, ext_hook=_refuse_extension, max_array_len=MAX_ITEMS
        )
    except (ValueError, TypeError, OverflowError, msgpack.exceptions.UnpackException) as error:
        raise FormatError(f"{what}: not MessagePack: {error}") from error
    items, level, depth = 0, [value], 0
    while level:
        inner: list = []
        for item in level:
            if type(item) is list:
                inner.append(item)
            elif item is not None and type(item) not in (bool, int, str, bytes):
                raise FormatError(f"{what}: MessagePack type {type(item).__name__} is not allowed")
        if inner:
            depth += 1
            require(depth <= MAX_NESTING, f"{what}: nested deeper than {MAX_NESTING}")
        level = [item for array in inner for item in array]
        items += len(level)
        require(items <= MAX_ITEMS, f"{what}: more than {MAX_ITEMS} items")
    require(pack_value(value) == data, f"{what}: not the canonical form")
    return value


# --- shapes of MessagePack values -------------------------------------------------------------------------------------

Shape = Callable[[Any, str], Any]


def integer(low: int = -(1 << 63), high: int = (1 << 64) - 1) -> Shape:
    def check(value: Any, where: str) -> int:
        require(type(value) is int and low <= value <= high, f"{where}: not an integer in {low} … {high}")
        return value

    return check


def binary(low: int = 0, high: int | None = None) -> Shape:
    """`binary(32)` is exactly 32 bytes, `binary(1, 255)` a range, `binary()` any length."""
    top = (low if low else None) if high is None else high

    def check(value: Any, where: str) -> bytes:
        require(type(value) is bytes, f"{where}: not bin")
        require(len(value) >= low and (top is None or len(value) <= top), f"{where}: bin of {len(value)} bytes")
        return value

    return check


def string(value: Any, where: str) -> str:
    require(type(value) is str, f"{where}: not str")
    return value


def boolean(value: Any, where: str) -> bool:
    require(type(value) is bool, f"{where}: not bool")
    return value


def optional(shape: Shape) -> Shape:
    return lambda value, where: None if value is None else shape(value, where)


def array_of(shape: Shape, most: int = MAX_ITEMS) -> Shape:
    def check(value: Any, where: str) -> list:
        require(type(value) is list, f"{where}: not an array")
        require(len(value) <= most, f"{where}: more than {most} elements")
        return [shape(item, f"{where}[{i}]") for i, item in enumerate(value)]

    return check


def record(*shapes: tuple[str, Shape]) -> Shape:
    """An array of fixed order and length; the result is a dict by field name."""

    def check(value: Any, where: str) -> dict:
        require(type(value) is list and len(value) == len(shapes), f"{where}: not an array of {len(shapes)}")
        return {name: shape(item, f"{where}.{name}") for (name, shape), item in zip(shapes, value)}

    return check


COUNT = integer(0, MAX_U53)
TIME = integer(-(1 << 63), (1 << 63) - 1)


def chunker_parameters(value: Any, where: str) -> tuple[int, int, int]:
    require(type(value) is list and len(value) == 3, f"{where}: not [min, average, max]")
    least, average, most = (COUNT(item, where) for item in value)
    good = MIN_CHUNK_PARAMETER <= least <= average <= most <= MAX_CHUNK
    require(good, f"{where}: not 1024 ≤ min ≤ average ≤ max ≤ 8 MiB")
    return least, average, most
