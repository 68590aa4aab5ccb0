"""What only writers need: where content is cut, and how packs are padded (format page, sections 4.3 and 4.4)."""

import math
import struct

from cairn_base import hkdf, label


def gear_table(cdc: bytes, repo: bytes) -> list:
    return [word & 0x7FFFFFFF for word in struct.unpack("<256I", hkdf(cdc, repo, label("gear"), 1024))]


def first_cut(content: memoryview, table: list, least: int, average: int, most: int) -> int:
    """Length of the first chunk of `content`, all of which is at hand."""
    n = len(content)
    if n <= least:
        return n
    bits = math.floor(math.log2(average) + 0.5)
    strict, loose = (1 << bits + 1) - 1, (1 << bits - 1) - 1
    n = min(n, most)
    normal = min(average - min(average, least + (least + 1) // 2), n)
    h = 0
    for i in range(least, n):
        h = (h >> 1) + table[content[i]]
        if h & (strict if i < normal else loose) == 0:
            return i + 1
    return n


def cut(content: bytes, table: list, least: int, average: int, most: int) -> list:
    """Lengths of all chunks."""
    rest, lengths = memoryview(content), []
    while len(rest):
        length = first_cut(rest, table, least, average, most)
        lengths.append(length)
        rest = rest[length:]
    return lengths


def padme(n: int) -> int:
    if n < 2:
        return n
    exponent = n.bit_length() - 1
    step = 1 << exponent - exponent.bit_length()
    return -(-n // step) * step
