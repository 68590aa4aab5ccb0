"""Tests of the objects: config, chunks, packs, index segments, log entries."""

import struct
import unittest

import cairn_format as f
import minimal_writer as w
from cairn_base import UnsupportedError
from testing import LOC, LOG, Base, flips


class ObjectsTest(Base):
    def test_config(self) -> None:
        self.refuse_all(w.config(), lambda data: f.parse_config(data, LOG))
        self.refuse(f.parse_config, w.config(features=["new"]), LOG, kind=UnsupportedError)

    def test_chunk(self) -> None:
        session = w.Session()
        for chunk_type, codec in ((1, 0), (1, 1), (2, 0), (3, 1)):
            wanted, sealed, _ = session.seal(chunk_type, b"hello " * 4, codec)
            secret, public = ("skD", w.KEYS.pk_data) if chunk_type == 1 else ("skM", w.KEYS.pk_meta)
            name = f.session_class(chunk_type)
            args = (w.KEYS.held[secret], session.epk, w.KEYS.held["psk"], session.sid, w.REPO, public, name)
            key = f.session_key(*args)
            id_key = w.KEYS.held["idData" if chunk_type == 1 else "idMeta"]
            rest = (w.REPO, session.sid, chunk_type, wanted)
            self.assertEqual(f.open_chunk(key, *rest, sealed, id_key), b"hello " * 4)
            self.refuse_all(sealed, lambda data: f.open_chunk(key, *rest, data, id_key))
            self.refuse(f.open_chunk, key, w.REPO, session.sid, chunk_type, bytes(32), sealed, id_key)
            self.refuse(f.open_chunk, key, w.REPO, bytes(16), chunk_type, wanted, sealed, id_key)
            self.refuse(f.open_chunk, key, bytes(16), session.sid, chunk_type, wanted, sealed, id_key)

    def test_chunk_payloads(self) -> None:
        """What only a holder of the session key can make: wrong lengths, codecs, frames, content."""
        compress, session, text = w.zstandard.ZstdCompressor().compress, w.Session(), b"hello " * 4

        def opened(codec: int, payload: bytes) -> bytes:
            wanted, sealed, _ = session.seal(1, text, codec, payload)
            return f.open_chunk(session.key(1), w.REPO, session.sid, 1, wanted, sealed, w.KEYS.held["idData"])

        self.assertEqual(opened(1, compress(text)), text)
        stream = w.zstandard.ZstdCompressor(write_checksum=True).compressobj()
        self.assertEqual(opened(1, stream.compress(text) + stream.flush()), text)
        skippable = b"\x50\x2a\x4d\x18\1\0\0\0x"
        for codec, payload in (
            (0, text[:-1]), (0, text + b"!"), (0, text.upper()), (2, text), (1, b""), (1, text), (1, compress(text[:-1])),
            (1, compress(text + b"!")), (1, compress(text.upper())), (1, compress(text) + b"\0"), (1, compress(text)[:-1]),
            (1, compress(text) + compress(b"")), (1, compress(text) + skippable), (1, skippable + compress(text)),
            (1, compress(bytes(100_000_000))),
        ):  # fmt: skip
            with self.subTest(codec=codec, payload=payload[:40].hex()):
                self.refuse(opened, codec, payload)

    def test_pack(self) -> None:
        session = w.Session()
        chunks = [(2, *session.seal(2, b"tree")), (3, *session.seal(3, b"list"))]
        data = w.pack(session, 2, chunks)
        parsed = f.parse_pack(data, LOC, w.REPO)
        self.assertEqual([item["id"] for item in parsed.records], [chunk[1] for chunk in chunks])
        for what, mutation in flips(data[: parsed.data_start]):  # the chunks have their own tags
            with self.subTest(mutation=what):
                self.refuse(f.parse_pack, mutation, LOC, w.REPO)
        self.refuse(f.parse_pack, data[:-1], LOC, w.REPO)
        self.refuse(f.parse_pack, w.pack(session, 1, chunks), LOC, w.REPO)
        self.refuse(f.parse_pack, data, LOC, bytes(16))

    def test_pack_contents(self) -> None:
        """What only a holder of `loc` can make."""
        session, body = w.Session(), bytes(100)
        records = [[2, 0, 0, 50, 50, 9, b"a" * 32], [3, 0, 0, 0, 50, 9, b"b" * 32]]

        def parsed(records: list, kind: int = 2, count: int = 2, tail: bytes = b"", reserved: int = 0) -> f.Pack:
            header = struct.pack("<I", count) + b"".join(struct.pack("<BBHIII32s", *record) for record in records)
            return f.parse_pack(w.pack_of(session, kind, header + tail, body, reserved), LOC, w.REPO)

        self.assertEqual(len(parsed(records).records), 2)
        for at, bad in ((0, 1), (0, 4), (1, 1), (2, 1), (3, 49), (3, 51), (4, 51), (4, 33), (5, 2**23 + 1), (5, 0)):
            with self.subTest(field=at, bad=bad):
                self.refuse(parsed, [[*records[0][:at], bad, *records[0][at + 1 :]], records[1]])
        for arguments in ((1,), (3,), (2, 1), (2, 3), (2, 2, b"\0"), (2, 2, b"", 1)):
            self.refuse(parsed, records, *arguments)

    def test_segment(self) -> None:
        session = w.Session()
        chunks = [(2, *session.seal(2, b"tree")), (2, *session.seal(2, b"another"))]
        good = w.segment(session, [(w.pack(session, 2, chunks), 2, chunks)])
        self.refuse_all(good, lambda data: f.parse_segment(data, LOC, w.REPO))

    def test_segment_contents(self) -> None:
        """What only a holder of `loc` can make."""
        pack = [bytes(32), 1000, 200, 0, 1, 2, 0]
        records = [[b"a" * 16, 0, 0, 50, 5, 0, 2, 0], [b"b" * 16, 0, 50, 750, 5, 0, 3, 0]]

        def parsed(pack: list, records: list, sessions: int = 1, zero: int = 0, tail: bytes = b"") -> f.Segment:
            plaintext = struct.pack("<IIII", 1, sessions, len(records), zero) + struct.pack("<32sIIIHBB", *pack)
            plaintext += bytes(48) * sessions + b"".join(struct.pack("<16sIIIIHBB", *record) for record in records)
            return f.parse_segment(w.segment_of(plaintext + tail), LOC, w.REPO)

        self.assertEqual(len(parsed(pack, records).records), 2)
        for at, bad in ((1, 999), (2, 201), (2, 0), (3, 1), (4, 0), (4, 2), (5, 1), (5, 3), (6, 1), (1, 2**26 + 1)):
            self.refuse(parsed, [*pack[:at], bad, *pack[at + 1 :]], records)
        for at, bad in (
            (0, b"a" * 16),
            (1, 1),
            (2, 51),
            (3, 33),
            (3, 751),
            (4, 0),
            (4, 2**23 + 1),
            (5, 1),
            (6, 1),
            (6, 4),
            (7, 1),
        ):
            record = [*records[1][:at], bad, *records[1][at + 1 :]]
            expected = parsed if (at, bad) == (0, b"a" * 16) else None
            if expected:  # the same half id at a higher offset ascends
                self.assertEqual(len(parsed(pack, [records[0], record]).records), 2)
            else:
                self.refuse(parsed, pack, [records[0], record])
        self.refuse(parsed, pack, records[::-1])
        self.refuse(parsed, pack, [records[0], records[0]])
        self.refuse(parsed, pack, records, 0)
        self.refuse(parsed, pack, records, 1, 1)
        self.refuse(parsed, pack, records, 1, 0, b"\0")

    def test_log_entry(self) -> None:
        data = w.log_entry(2, 1, bytes(32), [[bytes(16)]], ["because"])
        self.refuse_all(data, lambda data: f.parse_log_entry(data, LOG))
        self.refuse(f.parse_log_entry, w.log_entry(12, 1, bytes(32), [], []), LOG, kind=UnsupportedError)

    def test_log_shapes(self) -> None:
        i, n = bytes(16), bytes(32)
        good = {
            3: ([[i]], ["r"]),
            4: ([[i], None], [None, "c", ["t"]]),
            5: ([i, [i], 5], ["h"]),
            6: ([i], []),
            7: ([[i], [n], [n]], ["r"]),
            8: ([[n], []], []),
            9: ([[n]], []),
            10: ([], [1, 2, "full", 3, 4, 5, [[n, [1]], [n, None]], [n]]),
            11: ([[n], []], ["r"]),
        }
        for kind, (public, sealed) in good.items():
            f.parse_log_entry(w.log_entry(kind, 1, n, public, sealed), LOG)
            for bad in (([*public, None], sealed), (public, [*sealed, None]), (None, sealed), (public, None)):
                self.refuse(f.parse_log_entry, w.log_entry(kind, 1, n, *bad), LOG)
        for bad in ([[n]], [i], ["x"]):
            self.refuse(f.parse_log_entry, w.log_entry(2, 1, n, bad, ["r"]), LOG)


if __name__ == "__main__":
    unittest.main()
