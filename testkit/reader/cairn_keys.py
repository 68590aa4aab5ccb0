"""Capabilities: derivation, key files, recovery keys, key slots (format page, sections 3 and 4.9)."""

import base64
import binascii
import hmac
import json
import re
import unicodedata
from dataclasses import dataclass

from cairn_base import (
    MAX_KEY_TEXT,
    TIME,
    FormatError,
    MissingCapability,
    UnsupportedError,
    binary,
    hkdf,
    hmac256,
    integer,
    label,
    open_sealed,
    optional,
    record,
    require,
    sha256,
    string,
    unpack_value,
    x25519_public,
)

DERIVED = {
    "idData": "id data",
    "idMeta": "id meta",
    "cdc": "cdc",
    "loc": "loc",
    "log": "log",
    "psk": "psk",
    "skD": "x25519 data",
    "skM": "x25519 meta",
}
#: order of the capabilities in a key file, around the two public keys
FILE_FIELDS = ("root", "skD", "skM", "pkD", "pkM", "psk", "idData", "idMeta", "cdc", "loc", "log")


def derive(root: bytes, repo: bytes, name: str) -> bytes:
    return hkdf(root, repo, label(name))


def fingerprint_of(repo: bytes, pk_data: bytes, pk_meta: bytes) -> bytes:
    return sha256(label("fingerprint") + repo + pk_data + pk_meta)[:10]


def fingerprint_text(fingerprint: bytes) -> str:
    text = base64.b32encode(fingerprint).decode()
    return "-".join(text[i : i + 4] for i in range(0, 16, 4))


@dataclass(frozen=True)
class Keys:
    repo: bytes
    pk_data: bytes
    pk_meta: bytes
    #: by the page's names; only what is held
    held: dict

    def __contains__(self, name: str) -> bool:
        return name in self.held

    def need(self, name: str) -> bytes:
        if name not in self.held:
            raise MissingCapability(f"this key file does not hold `{name}`")
        return self.held[name]

    @property
    def fingerprint(self) -> bytes:
        return fingerprint_of(self.repo, self.pk_data, self.pk_meta)


def keys_of_root(root: bytes, repo: bytes) -> Keys:
    held = {name: derive(root, repo, text) for name, text in DERIVED.items()}
    return Keys(repo, x25519_public(held["skD"]), x25519_public(held["skM"]), {"root": root, **held})


_capability = optional(binary(32))
_key_file = record(
    ("version", integer(1, 1)),
    ("repo", binary(16)),
    *((name, binary(32) if name in ("pkD", "pkM") else _capability) for name in FILE_FIELDS),
    ("created", TIME),
    ("label", string),
)


def parse_key_file_bytes(data: bytes) -> Keys:
    value = unpack_value(data, "key file")
    if type(value) is list and value and type(value[0]) is int and value[0] != 1:
        raise UnsupportedError(f"key file: version {value[0]} is not known")
    fields = _key_file(value, "key file")
    repo, pk_data, pk_meta = fields["repo"], fields["pkD"], fields["pkM"]
    held = {name: fields[name] for name in ("root", *DERIVED) if fields[name] is not None}
    if "root" in held:
        require(len(held) == 1, "key file: holds the root key and what is derived from it")
        keys = keys_of_root(held["root"], repo)
        require(
            (keys.pk_data, keys.pk_meta) == (pk_data, pk_meta), "key file: public keys are not those of its root key"
        )
        return keys
    for secret, public in (("skD", pk_data), ("skM", pk_meta)):
        if secret in held:
            require(x25519_public(held[secret]) == public, f"key file: {secret} does not belong to its public key")
    return Keys(repo, pk_data, pk_meta, held)


def armored_lines(text: str, name: str, what: str) -> list:
    """The lines between the two markers, of which there has to be one pair."""
    require(len(text.encode("utf-8", "surrogateescape")) <= MAX_KEY_TEXT, f"{what}: too long")
    lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", text)]
    begin, end = f"-----BEGIN {name}-----", f"-----END {name}-----"
    require(lines.count(begin) == 1 and lines.count(end) == 1, f"{what}: not one BEGIN line and one END line")
    require(lines.index(begin) < lines.index(end), f"{what}: END before BEGIN")
    return lines[lines.index(begin) + 1 : lines.index(end)]


def parse_key_file(text: str) -> Keys:
    """The armored form. What stands around it does not count."""
    lines = armored_lines(text, "CAIRN KEY", "key file")
    require("" in lines, "key file: no empty line before the body")
    split = lines.index("")
    body = "".join(lines[split + 1 :])
    try:
        raw = base64.b64decode(body.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise FormatError("key file: the body is not base64") from error
    require(base64.b64encode(raw).decode() == body, "key file: the body is not canonical base64")
    data, check = raw[:-8], raw[-8:]
    require(sha256(label("key file") + data)[:8] == check, "key file: wrong checksum")
    keys = parse_key_file_bytes(data)
    for line in lines[:split]:
        name, _, value = line.partition(":")
        if name == "repository":
            require(value.strip().lower() == keys.repo.hex(), "key file: the repository line contradicts the body")
    return keys


def parse_recovery_key(text: str) -> tuple[bytes, bytes]:
    """Returns (root, repo). In a longer text the key stands between markers, or it is the paper form."""
    if any(_PAPER_LINE.fullmatch(line) for line in text.splitlines()):
        return parse_paper(text)
    if "BEGIN CAIRN RECOVERY KEY" in text:
        text = "".join(armored_lines(text, "CAIRN RECOVERY KEY", "recovery key"))
    symbols = re.sub(r"[-\s]", "", text).upper().translate(str.maketrans("018", "OIB"))
    require(re.fullmatch(r"[A-Z2-7]{85}", symbols) is not None, "recovery key: not 85 characters of base32")
    raw = base64.b32decode(symbols + "===")
    require(base64.b32encode(raw).decode().rstrip("=") == symbols, "recovery key: the spare bit is not zero")
    return recovery_bytes(raw)


def recovery_bytes(raw: bytes) -> tuple[bytes, bytes]:
    version, repo, root, check = raw[0], raw[1:17], raw[17:49], raw[49:]
    require(sha256(label("recovery key") + raw[:49])[:4] == check, "recovery key: wrong checksum (a typing mistake?)")
    if version != 1:
        raise UnsupportedError(f"recovery key: version {version} is not known")
    return root, repo


_PAPER_LINE = re.compile(r"\s*([0-9]{1,9})\s*:(.*)")


def parse_paper(text: str) -> tuple[bytes, bytes]:
    """Returns (root, repo) from the paper form: 9 numbered lines of hex, each with a check of its own."""
    parts: dict = {}
    problems = []
    for match in filter(None, map(_PAPER_LINE.fullmatch, text.splitlines())):
        number, digits = int(match[1]), re.sub(r"\s", "", match[2]).lower()
        size = 5 if number == 9 else 6
        if number in parts:
            problems.append(f"line {number} is there twice")
        elif not 1 <= number <= 9 or re.fullmatch(r"[0-9a-f]{%d}" % (2 * size + 4), digits) is None:
            problems.append(f"line {number} has another length")
        else:
            data, check = bytes.fromhex(digits[:-4]), bytes.fromhex(digits[-4:])
            if sha256(label("paper line") + bytes([number]) + data)[:2] != check:
                problems.append(f"line {number} has a mistake in it")
        parts[number] = digits[:-4]
    problems += [f"line {number} is missing" for number in range(1, 10) if number not in parts]
    require(not problems, f"recovery key on paper: {', '.join(problems)}")
    return recovery_bytes(bytes.fromhex("".join(parts[number] for number in range(1, 10))))


def parse_key_text(text: str) -> Keys:
    if "BEGIN CAIRN KEY" in text:
        return parse_key_file(text)
    return keys_of_root(*parse_recovery_key(text))


# --- key slots --------------------------------------------------------------------------------------------------------

#: ceilings of the argon2id parameters; the floors of section 6 bind those who make slots
KDF_CEILINGS = {"memoryKiB": 2 << 20, "passes": 20, "lanes": 16}
SLOT_HEX = {"uid": 16, "repository": 16, "fingerprint": 10}
SLOT_COMMON = {"cairn", "uid", "repository", "fingerprint", "rights", "label", "created", "kind"}
SLOT_MEMBERS = {"passphrase": {"kdf", "commitment", "sealed"}, "openpgp": {"recipients", "message"}}


def _no_duplicates(pairs: list) -> dict:
    result = dict(pairs)
    require(len(result) == len(pairs), "key slot: a member occurs twice")
    return result


def _hex(value: object, length: int | None, what: str) -> bytes:
    require(
        isinstance(value, str) and re.fullmatch(r"(?:[0-9a-f]{2})*", value) is not None, f"key slot: {what} is not hex"
    )
    raw = bytes.fromhex(value)
    require(length is None or len(raw) == length, f"key slot: {what} is not {length} bytes")
    return raw


def parse_slot(text: str) -> dict:
    """Checks what every slot has. Hex members come back as bytes."""
    require(len(text.encode("utf-8", "surrogateescape")) <= MAX_KEY_TEXT, "key slot: too long")
    try:
        slot = json.loads(text, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise FormatError("key slot: not JSON") from error
    require(type(slot) is dict, "key slot: not a JSON object")
    if type(slot.get("cairn")) is int and slot["cairn"] != 1:
        raise UnsupportedError(f"key slot: version {slot['cairn']} is not known")
    require(type(slot.get("cairn")) is int, 'key slot: no "cairn": 1')
    for name in ("rights", "label", "created", "kind"):
        require(isinstance(slot.get(name), str), f"key slot: no {name}")
    created = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", slot["created"], re.ASCII)
    require(created is not None, "key slot: created is not a time")
    for name, length in SLOT_HEX.items():
        slot[name] = _hex(slot.get(name), length, name)
    if slot["kind"] not in SLOT_MEMBERS:
        raise UnsupportedError(f"key slot: kind {slot['kind']!r} is not known")
    require(slot.keys() == SLOT_COMMON | SLOT_MEMBERS[slot["kind"]], "key slot: not the members of its kind")
    if slot["kind"] == "passphrase":
        kdf = slot.get("kdf")
        require(type(kdf) is dict and kdf.get("name") == "argon2id", "key slot: the kdf is not argon2id")
        require(kdf.keys() == {"name", "salt", *KDF_CEILINGS}, "key slot: not the members of a kdf")
        for name, ceiling in KDF_CEILINGS.items():
            value = kdf.get(name)
            require(type(value) is int and 1 <= value <= ceiling, f"key slot: {name} is not in 1 … {ceiling}")
        require(kdf["memoryKiB"] >= 8 * kdf["lanes"], "key slot: argon2id needs 8 KiB for each lane")
        kdf["salt"] = _hex(kdf.get("salt"), 32, "salt")
        slot["commitment"] = _hex(slot.get("commitment"), 32, "commitment")
        slot["sealed"] = _hex(slot.get("sealed"), None, "sealed")
    else:
        require(type(slot["recipients"]) is list and len(slot["recipients"]) > 0, "key slot: no recipients")
        for recipient in slot["recipients"]:
            require(isinstance(recipient, str), "key slot: a recipient is not hex")
            _hex(recipient.lower(), None, "a recipient")
        require(isinstance(slot["message"], str), "key slot: the message is not text")
    return slot


def slot_header(slot: dict) -> bytes:
    kdf = slot["kdf"]
    numbers = b"".join(kdf[name].to_bytes(4, "little") for name in KDF_CEILINGS)
    return label("slot") + slot["repository"] + slot["fingerprint"] + slot["uid"] + numbers + kdf["salt"]


def open_slot(text: str, passphrase: str) -> str:
    """Returns the key file as text. Only for passphrase slots; OpenPGP slots are for gpg."""
    slot = parse_slot(text)
    if slot["kind"] != "passphrase":
        raise UnsupportedError("key slot: not a passphrase slot")
    from argon2.low_level import Type, hash_secret_raw  # only slots need python3-argon2

    kdf = slot["kdf"]
    secret = hash_secret_raw(
        unicodedata.normalize("NFC", passphrase).encode(),
        kdf["salt"],
        time_cost=kdf["passes"],
        memory_cost=kdf["memoryKiB"],
        parallelism=kdf["lanes"],
        hash_len=64,
        type=Type.ID,
        version=0x13,
    )
    header = slot_header(slot)
    if not hmac.compare_digest(hmac256(secret[32:], header), slot["commitment"]):
        raise FormatError("key slot: wrong passphrase, or the slot was altered")
    try:
        key_text = open_sealed(secret[:32], slot["sealed"], header, "key slot").decode()
    except UnicodeDecodeError as error:
        raise FormatError("key slot: the content is not text") from error
    keys = parse_key_file(key_text)
    require(
        (keys.repo, keys.fingerprint) == (slot["repository"], slot["fingerprint"]),
        "key slot: holds the key of another repository",
    )
    return key_text
