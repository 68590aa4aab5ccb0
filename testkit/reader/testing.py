"""What several test files use."""

import unittest

import minimal_writer as w
from cairn_base import FormatError

LOC, LOG = w.KEYS.held["loc"], w.KEYS.held["log"]


def flips(data: bytes):
    """`data` with one bit of one byte changed, for every byte, and cut short or longer."""
    for at in range(len(data)):
        yield at, data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
    for length in range(len(data)):
        yield f"cut to {length}", data[:length]
    yield "longer", data + b"\0"


class Base(unittest.TestCase):
    def refuse_all(self, data: bytes, parse) -> None:
        parse(data)
        for what, mutation in flips(data):
            with self.subTest(mutation=what), self.assertRaises(FormatError):
                parse(mutation)

    def refuse(self, call, *arguments, kind=FormatError) -> None:
        with self.assertRaises(kind):
            call(*arguments)
