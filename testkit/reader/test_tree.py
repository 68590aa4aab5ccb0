"""Tests of trees and content references."""

import struct
import unittest

import cairn_base as base
import cairn_tree as t
import minimal_writer as w
from cairn_base import FormatError
from testing import Base


class TreeTest(Base):
    def test_entries(self) -> None:
        entries = [w.entry(b"a"), w.entry(b"b", 2, 0o755), w.entry(b"\xff", 3, 0o777, target=b"x")]
        parsed = list(t.parse_tree([w.stream(entries)]))
        self.assertEqual([entry.name for entry in parsed], [b"a", b"b", b"\xff"])

    def test_order(self) -> None:
        a, b = w.stream([w.entry(b"a")]), w.stream([w.entry(b"b")])
        list(t.parse_tree([a, b]))
        for parts in ([b, a], [a, a], [a, b"\0"], [a[:-1]], [a + b"\0\0\0\0"], [struct.pack("<I", 2**21 + 1)]):
            with self.assertRaises(FormatError):
                list(t.parse_tree(parts))

    def test_refuses_bad_entries(self) -> None:
        record = [bytes(32), 10]
        one = w.run([record])
        good = [
            dict(size=10, content=[0, one]),
            dict(size=30, content=[0, one], holes=[[0, 5], [6, 15]]),
            dict(size=10, content=[4, one]),
            dict(size=7, holes=[[0, 7]]),
            dict(kind=4, mode=0o7777),
            dict(kind=5, device=[1, 3]),
            dict(kind=6, device=[2**32 - 1, 2**32 - 1], flags=2**32 - 1, link=2**53 - 1, inode=2**64 - 1, state=1),
            dict(kind=2, content=[0, one]),
            dict(xattrs=[[b"user.a", b""], [b"user.b", b"x" * 65536]]),
            dict(mtime=-(2**63), ctime=2**63 - 1, uid=2**32 - 1),
        ]
        bad = [
            dict(name=b""), dict(name=b"."), dict(name=b".."), dict(name=b"a/b"), dict(name=b"a\0"), dict(name=b"n" * 256),
            dict(name="text"), dict(kind=0), dict(kind=8), dict(mode=0o10000), dict(mode=-1), dict(mode=True),
            dict(uid=-1), dict(mtime=2**63), dict(size=1), dict(size=11, content=[0, one]), dict(size=9, content=[0, one]),
            dict(kind=2, size=10, content=[0, one]), dict(kind=4, content=[0, one]), dict(size=10, content=[5, one]),
            dict(size=10, content=[0, one + b"\0"]), dict(size=650, content=[0, one * 65]), dict(size=10, content=[0]),
            dict(size=10, content=[0, one], holes=[[0, 0]]), dict(size=20, content=[0, one], holes=[[11, 10]]),
            dict(size=20, content=[0, one], holes=[[0, 5], [5, 5]]), dict(size=20, content=[0, one], holes=[[5, 5], [0, 5]]),
            dict(size=9 << 20, content=[0, w.run([(bytes(32), 9 << 20)])]), dict(kind=2, holes=[]),
            dict(kind=3), dict(kind=3, target=b""), dict(kind=3, target=b"x" * 4096), dict(kind=3, target=b"a\0"),
            dict(target=b"x"), dict(kind=5), dict(device=[1, 2]), dict(kind=5, device=[1]), dict(kind=5, device=[1, -2]),
            dict(xattrs=[[b"b", b""], [b"a", b""]]), dict(xattrs=[[b"a", b""], [b"a", b""]]), dict(xattrs=[[b"", b""]]),
            dict(xattrs=[[b"a", b"x" * 65537]]), dict(xattrs=[[b"%02d" % n, b"x" * 65536] for n in range(17)]),
            dict(size=5000, holes=[[2 * n, 1] for n in range(4097)]), dict(user=b"u"), dict(state=None), dict(state=2),
            dict(content=None), dict(kind=2, content=None), dict(content=[1, b""]), dict(holes=[]), dict(xattrs=[]),
            dict(uid=2**32), dict(gid=2**32), dict(flags=2**32), dict(flags=-1), dict(link=-1), dict(link=2**53),
            dict(inode=-1), dict(kind=5, device=[1, 2**32]), dict(size=2**53, content=[4, w.run([(bytes(32), 2**53)])]),
            dict(content=[0, w.run([(bytes(32), 0)])]), dict(content=[4, w.run([(bytes(32), 0)])]),
        ]  # fmt: skip
        for fields in good:
            t.parse_entry(base.pack_value(w.entry(fields.pop("name", b"n"), **fields)))
        for fields in bad:
            with self.subTest(**{name: repr(value)[:60] for name, value in fields.items()}):
                value = w.entry(fields.pop("name", b"n"), **fields)
                self.refuse(t.parse_entry, base.pack_value(value))
        self.refuse(t.parse_entry, base.pack_value(w.entry(b"n")[:-1]))
        self.refuse(t.parse_entry, base.pack_value([*w.entry(b"n"), 0]))

    def test_chunk_list(self) -> None:
        record = bytes(32) + struct.pack("<Q", 2**23)
        self.assertEqual(t.parse_chunk_list(record * 2, 0), [(bytes(32), 2**23)] * 2)
        bigger = bytes(32) + struct.pack("<Q", 2**52)
        t.parse_chunk_list(bigger, 1)
        for data, level in ((b"", 0), (record[:-1], 0), (bigger, 0), (bigger * 2, 1), (record * 16385, 0), (record, 5), (bytes(40), 0)):
            self.refuse(t.parse_chunk_list, data, level)


if __name__ == "__main__":
    unittest.main()
