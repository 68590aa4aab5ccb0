#!/usr/bin/python3
"""Checks the known answers in testkit/vectors (the form is in testkit/README.md)."""

import hashlib
import json
import os
import sys
from typing import Any

import cairn_base as base
import cairn_chunker
import cairn_format as f
import cairn_keys as k
import cairn_tree as t

NUMBER_FIELDS = {"type", "level", "n", "min", "average", "max", "length"}
TEXT_FIELDS = {"name", "class", "text", "slot", "passphrase"}


class VectorError(Exception):
    """The vector itself is not in the form of testkit/README.md."""


class Leading(list):
    """A list of which a vector may give the first elements only."""


class Inputs:
    """Typed access. `unused` tells a vector with a misspelt input from a good one."""

    def __init__(self, given: dict):
        self.given, self.unused = given, set(given)

    def __getattr__(self, name: str) -> Any:
        if name not in self.given:
            raise VectorError(f"no input {name!r}")
        self.unused.discard(name)
        value = self.given[name]
        if name in TEXT_FIELDS:
            return value
        if name in NUMBER_FIELDS:
            return int(value)
        return bytes.fromhex(value)


def sessions_of(sessions: list) -> list:
    return [{"sid": sid, "epk": epk} for sid, epk in sessions]


def references(records: list) -> list:
    return [{"id": wanted, "length": length} for wanted, length in records]


def derivation(i: Inputs) -> dict:
    return {"key": k.derive(i.root, i.repo, i.name)}


def public_keys(i: Inputs) -> dict:
    keys = k.keys_of_root(i.root, i.repo)
    return {"pkD": keys.pk_data, "pkM": keys.pk_meta, "fingerprint": keys.fingerprint}


def chunk_id(i: Inputs) -> dict:
    return {"id": f.chunk_id(i.idKey, i.type, i.plaintext)}


def session(i: Inputs) -> dict:
    name = getattr(i, "class")
    if name not in ("data", "meta"):
        raise VectorError(f"class {name!r}")
    return {"session": f.session_key(i.secret, i.epk, i.psk, i.sid, i.repo, i.pk, name)}


def sealed_chunk(i: Inputs) -> dict:
    return {"plaintext": f.open_chunk(i.session, i.repo, i.sid, i.type, i.id, i.sealed, i.idKey)}


def pack(i: Inputs) -> dict:
    parsed = f.parse_pack(i.object, i.loc, i.repo)
    return {
        "kind": parsed.kind,
        "dataStart": parsed.data_start,
        "sessions": sessions_of(parsed.sessions),
        "records": parsed.records,
    }


def index_segment(i: Inputs) -> dict:
    parsed = f.parse_segment(i.object, i.loc, i.repo)
    names = ("id", "pack", "offset", "storedLen", "rawLen", "session", "type")
    return {
        "packs": parsed.packs,
        "sessions": sessions_of(parsed.sessions),
        "records": [dict(zip(names, item)) for item in parsed.records],
    }


def log_entry(i: Inputs) -> dict:
    entry = f.parse_log_entry(i.object, i.log)
    if entry.kind == f.COMMIT:
        base.require(t.parse_descriptor(entry.sealed)["archive"] == entry.public["archive"], "two archives")
    return {
        "kind": entry.kind,
        "seq": entry.seq,
        "previous": entry.previous,
        "time": entry.time,
        "public": entry.public_bytes,
        "sealed": entry.sealed_bytes,
    }


def tree(i: Inputs) -> dict:
    stream = i.stream
    entries = list(t.parse_tree([stream]))
    # The same in small parts: the cuts between chunks must not matter.
    parts = [stream[at : at + 7] for at in range(0, len(stream), 7)]
    if list(t.parse_tree(parts)) != entries:
        raise AssertionError("the stream decodes differently in parts")
    values = [base.unpack_value(data, "tree entry") for data in t.entry_bytes([stream])]
    encoded = [base.pack_value(value) for value in values]
    if b"".join(len(data).to_bytes(4, "little") + data for data in encoded) != stream:
        raise AssertionError("the entries encode to another stream")
    return {"entries": [Leading(value) for value in values], "names": [entry.name for entry in entries]}


def chunk_list(i: Inputs) -> dict:
    return {"records": references(t.parse_chunk_list(i.list, i.level))}


def key_file(i: Inputs) -> dict:
    keys = k.parse_key_file(i.text)
    capabilities = {name: keys.held.get(name) for name in ("root", *k.DERIVED)}
    return {"capabilities": capabilities, "fingerprint": keys.fingerprint}


def recovery_key(i: Inputs) -> dict:
    root, repo = k.parse_recovery_key(i.text)
    return {"root": root, "repo": repo}


def key_slot(i: Inputs) -> dict:
    return {"text": k.open_slot(i.slot, i.passphrase)}


def config(i: Inputs) -> dict:
    parsed = f.parse_config(i.object, i.log)
    chunkers = {"data": list(parsed["data"]), "tree": list(parsed["tree"])}
    return {"fingerprint": parsed["fingerprint"], "features": parsed["features"], "chunkers": chunkers}


def cdc(i: Inputs) -> dict:
    seed, length = i.seedHex, i.length
    blocks = (hashlib.sha256(seed + n.to_bytes(4, "little")).digest() for n in range(-(-length // 32)))
    content = b"".join(blocks)[:length]
    table = cairn_chunker.gear_table(i.cdc, i.repo)
    return {"table0": table[:4], "cuts": cairn_chunker.cut(content, table, i.min, i.average, i.max)}


def padme(i: Inputs) -> dict:
    return {"padded": cairn_chunker.padme(i.n)}


KINDS = {
    "derivation": derivation,
    "public-keys": public_keys,
    "chunk-id": chunk_id,
    "session": session,
    "sealed-chunk": sealed_chunk,
    "pack": pack,
    "index-segment": index_segment,
    "log-entry": log_entry,
    "tree": tree,
    "chunk-list": chunk_list,
    "key-file": key_file,
    "recovery-key": recovery_key,
    "key-slot": key_slot,
    "config": config,
    "cdc": cdc,
    "padme": padme,
}


def difference(computed: Any, expected: Any, where: str) -> str | None:
    """What differs, or None. Integers may be given as decimal strings, bytes are given in hex."""
    if isinstance(computed, dict):
        if not isinstance(expected, dict) or not expected or not expected.keys() <= computed.keys():
            return f"{where}: expected {expected!r}, there are {sorted(computed)}"
        parts = [(computed[name], expected[name], f"{where}.{name}") for name in expected]
    elif isinstance(computed, (list, tuple)):
        enough = isinstance(expected, list) and (
            0 < len(expected) <= len(computed) if isinstance(computed, Leading) else len(expected) == len(computed)
        )
        if not enough:
            return f"{where}: {len(computed)} elements, expected {expected!r}"
        parts = [(c, e, f"{where}[{n}]") for n, (c, e) in enumerate(zip(computed, expected))]
    else:
        return None if scalar_equal(computed, expected) else f"{where}: {shown(computed)}, expected {expected!r}"
    return next((found for found in (difference(*part) for part in parts) if found), None)


def scalar_equal(computed: Any, expected: Any) -> bool:
    if isinstance(computed, bytes):
        return isinstance(expected, str) and computed.hex() == expected.lower()
    if type(computed) is int:
        return type(expected) in (int, str) and str(computed) == str(expected)
    return type(computed) is type(expected) and computed == expected


def shown(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 200 else text[:200] + "…"


def verify(vector: dict) -> str | None:
    """The reason why the vector does not hold, or None."""
    if vector.get("expect") not in ("ok", "fail") or not vector.get("reason"):
        raise VectorError('"expect" or "reason" is missing')
    if vector.get("kind") not in KINDS:
        raise VectorError(f"kind {vector.get('kind')!r} is not known")
    inputs = Inputs(vector["inputs"])
    try:
        computed = KINDS[vector["kind"]](inputs)
    except base.FormatError as error:
        return None if vector["expect"] == "fail" else f"refused: {error}"
    if inputs.unused:
        raise VectorError(f"inputs nobody reads: {', '.join(sorted(inputs.unused))}")
    if vector["expect"] == "fail":
        return "accepted, but must be refused"
    return difference(computed, vector.get("outputs"), "outputs")


def main(folder: str) -> int:
    passed = failed = 0
    if not os.path.isdir(folder):
        print(f"{folder}: no such directory", file=sys.stderr)
        return 2
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".json"):
            continue
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as stream:
                reason = verify(json.load(stream))
        except Exception as error:  # a crash of the reader is a failed vector, whatever it expects
            reason = f"{type(error).__name__}: {error}"
        passed, failed = (passed + 1, failed) if reason is None else (passed, failed + 1)
        if reason is not None:
            print(f"{name}: {reason}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "vectors")))
