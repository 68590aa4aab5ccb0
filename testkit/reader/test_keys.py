"""Tests of MessagePack, the primitives and keys."""

import hashlib
import json
import struct
import unittest

import cairn_base as base
import cairn_chunker
import cairn_keys as k
import minimal_writer as w
from cairn_base import FormatError, UnsupportedError
from testing import Base


class MessagePackTest(Base):
    def test_values(self) -> None:
        for value in (None, True, 0, 127, 128, 2**64 - 1, -1, -33, -(2**63), "ü", b"\xff", [[], [1, "a", b"b", None]]):
            self.assertEqual(base.unpack_value(base.pack_value(value), "test"), value)

    def test_refuses(self) -> None:
        for data in (
            "", "c0c0", "cc7f", "cd00ff", "ce0000ffff", "cf00000000ffffffff", "d000", "d10080", "d1ff80", "d2ffff8000",
            "d900", "d90161", "da000161", "c5000161", "c60000000161", "dc000101", "dd0000000101", "a1ff", "a3eda080",
            "ca00000000", "cb0000000000000000", "80", "8101c0", "8190c0", "d40100", "d6ff00000000", "c70500aabbccddee",
            "c1", "91", "c402aa", "dd7fffffff", "91" * 600 + "c0",
        ):  # fmt: skip
            with self.subTest(data=data[:40]):
                self.refuse(base.unpack_value, bytes.fromhex(data), "test")

    def test_limits(self) -> None:
        base.unpack_value(bytes.fromhex("91" * 15 + "90"), "test")
        self.refuse(base.unpack_value, bytes.fromhex("91" * 16 + "90"), "test")
        base.unpack_value(base.pack_value([0] * 1_000_000), "test")
        base.unpack_value(base.pack_value([[0] * 499_999] * 2), "test")
        self.refuse(base.unpack_value, base.pack_value([0] * 1_000_001), "test")
        self.refuse(base.unpack_value, base.pack_value([[0] * 500_000] * 2), "test")


class PrimitivesTest(Base):
    def test_hkdf_is_rfc_5869(self) -> None:
        found = base.hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42).hex()
        expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        self.assertEqual(found, expected)

    def test_x25519_refuses_the_zero_result(self) -> None:
        for public in (bytes(32), b"\1" + bytes(31)):
            self.refuse(base.x25519, w.KEYS.held["skD"], public)

    def test_padme(self) -> None:
        pairs = {0: 0, 1: 1, 2: 2, 7: 7, 8: 8, 9: 10, 17: 18, 1000: 1024, 1025: 1088, 2**26: 2**26, 2**26 - 1: 2**26}
        self.assertEqual({n: cairn_chunker.padme(n) for n in pairs}, pairs)

    def test_cuts(self) -> None:
        content = b"".join(hashlib.sha256(struct.pack("<I", n)).digest() for n in range(4096))
        table = cairn_chunker.gear_table(w.KEYS.held["cdc"], w.REPO)
        lengths = cairn_chunker.cut(content, table, 256, 1024, 8192)
        self.assertEqual(sum(lengths), len(content))
        self.assertTrue(all(256 < length <= 8192 for length in lengths[:-1]))
        self.assertGreater(len(lengths), 40)
        # Bytes put before the beginning move the first cuts only.
        moved = cairn_chunker.cut(b"x" * 100 + content, table, 256, 1024, 8192)
        ends = lambda lengths, shift: {sum(lengths[: n + 1]) - shift for n in range(len(lengths))}  # noqa: E731
        self.assertGreater(len(ends(lengths, 0) & ends(moved, 100)), len(lengths) // 2)


class KeysTest(Base):
    def test_key_files(self) -> None:
        for rights, held in w.HELD.items():
            keys = k.parse_key_text(w.armor(w.key_values(rights)))
            expected = w.KEYS.held if rights == "root" else {name: w.KEYS.held[name] for name in held}
            self.assertEqual((keys.held, keys.fingerprint), (expected, w.KEYS.fingerprint))

    def test_refuses_bad_key_files(self) -> None:
        good = w.key_values("read")
        changes = {0: 2, 1: w.REPO[:15], 3: w.ROOT, 5: None, 6: w.KEYS.pk_data, 9: b"x" * 31, 13: "now", 14: b"label"}
        for at, value in {**changes, 2: w.ROOT}.items():
            with self.subTest(field=at):
                self.refuse(k.parse_key_file, w.armor([*good[:at], value, *good[at + 1 :]]))
        self.refuse(k.parse_key_file, w.armor(good[:14]))
        self.refuse(k.parse_key_file, w.armor([*good, None]))
        self.refuse(k.parse_key_file, w.armor(good, repo=bytes(16)))

    def test_refuses_any_changed_body(self) -> None:
        text = w.armor(w.key_values("write"))
        start, end = text.index("\n\n") + 2, text.index("-----END")
        for at in range(start, end):
            if text[at] != "\n":
                with self.subTest(at=at):
                    self.refuse(k.parse_key_file, text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])

    def test_recovery_key(self) -> None:
        text = w.recovery()
        self.assertEqual(k.parse_recovery_key(text), (w.ROOT, w.REPO))
        typed = text.lower().replace("o", "0").replace("i", "1").replace("b", "8")
        self.assertEqual(k.parse_key_text(typed + "\n").held, w.KEYS.held)
        for at, letter in enumerate(text):
            if letter != "-":
                self.refuse(k.parse_recovery_key, text[:at] + ("C" if letter != "C" else "D") + text[at + 1 :])
        self.refuse(k.parse_recovery_key, w.recovery(version=2), kind=UnsupportedError)

    def test_recovery_key_in_a_text(self) -> None:
        begin, end = "-----BEGIN CAIRN RECOVERY KEY-----", "-----END CAIRN RECOVERY KEY-----"
        text = f"Keep this\r\n{begin} \r\n{w.recovery()[:50]}\r\n{w.recovery()[50:]}\r\n{end}\r\nsafe"
        self.assertEqual(k.parse_key_text(text).held, w.KEYS.held)
        self.refuse(k.parse_key_text, text + "\n" + text)
        self.refuse(k.parse_key_text, text.replace(end, ""))

    def test_paper(self) -> None:
        lines = w.paper()
        text = "\n".join(["Recovery key", *reversed(lines), "12 lines below"]).upper()
        self.assertEqual(k.parse_key_text(text).held, w.KEYS.held)
        for number, line in enumerate(lines, 1):
            wrong = line[:-6] + ("0" if line[-6] != "0" else "1") + line[-5:]
            for bad in ([], [line, line], [line[:-1]], [wrong], [line + "00"], [line.replace(":", "0:")]):
                with self.subTest(bad=bad), self.assertRaisesRegex(FormatError, f"line {number} "):
                    k.parse_paper("\n".join([*lines[: number - 1], *bad, *lines[number:]]))

    def test_text_around_a_key_file(self) -> None:
        text = w.armor(w.key_values("root"))
        for around in (f"From: me\n{text}\nbye", text.replace("\n", "\r\n"), text.replace("\n", " \n")):
            self.assertEqual(k.parse_key_text(around).held, w.KEYS.held)
        for bad in (text + text, text.replace("-----END", "----END"), text.replace("\n\n", "\n")):
            self.refuse(k.parse_key_file, bad)

    def test_slot(self) -> None:
        text = w.armor(w.key_values("read"))
        slot = w.slot(text, "pass \u00fc", memory_kib=64)
        self.assertEqual(k.open_slot(json.dumps(slot), "pass u\u0308"), text)  # NFC
        self.refuse(k.open_slot, json.dumps(slot), "pass")
        for name in ("uid", "repository", "fingerprint", "commitment", "sealed"):
            changed = ("1" if slot[name][0] != "1" else "2") + slot[name][1:]
            self.refuse(k.open_slot, json.dumps({**slot, name: changed}), "pass \u00fc")
        for name, bad in (("memoryKiB", 31), ("memoryKiB", 2**21 + 1), ("passes", 0), ("passes", 21), ("lanes", 17)):
            self.refuse(k.parse_slot, json.dumps({**slot, "kdf": {**slot["kdf"], name: bad}}))
        self.refuse(k.parse_slot, json.dumps(slot)[:-1] + ', "kind": "passphrase"}')
        self.refuse(k.parse_slot, json.dumps({**slot, "cairn": 2}), kind=UnsupportedError)
        self.refuse(k.parse_slot, json.dumps({**slot, "other": 1}))
        self.refuse(k.parse_slot, json.dumps({**slot, "created": "today"}))
        self.refuse(k.parse_slot, json.dumps({name: slot[name] for name in slot if name != "label"}))
        common = {name: slot[name] for name in k.SLOT_COMMON} | {"kind": "openpgp"}
        k.parse_slot(json.dumps({**common, "recipients": ["AB" * 20], "message": "m"}))
        self.refuse(k.parse_slot, json.dumps({**common, "recipients": [], "message": "m"}))


if __name__ == "__main__":
    unittest.main()
