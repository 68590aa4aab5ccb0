"""Tests of the log as a whole: chain and rules."""

import unittest

import cairn_base as base
import minimal_writer as w
from cairn_history import History
from testing import LOG, Base


class HistoryTest(Base):
    def replay(self, *entries: tuple) -> History:
        start = w.config()
        head, objects = base.sha256(start), []
        for seq, (kind, public, sealed) in enumerate(entries, 1):
            objects.append(w.log_entry(kind, seq, head, public, sealed))
            head = base.sha256(objects[-1])
        history = History()
        history.replay(start, objects, LOG)
        return history

    @staticmethod
    def commit(archive: bytes, base_archive: bytes | None = None, segments=(), packs=(), rescued=(), name="n") -> tuple:
        public = [archive, base_archive, [*segments], [*packs], [*rescued]]
        return 1, public, w.descriptor(archive, w.entry(b"", 2, 0o755), name)

    def test_life_of_an_archive(self) -> None:
        a, b, pin, seg, pack = b"a" * 16, b"b" * 16, b"p" * 16, b"s" * 32, b"k" * 32
        history = self.replay(
            self.commit(a, segments=[seg]),
            self.commit(b, a, segments=[b"t" * 32]),
            (4, [[a], True], ["renamed", None, ["x"]]),
            (5, [pin, [a], 9], ["mount"]),
            (6, [pin], []),
            (2, [[a, b]], ["r"]),
            (3, [[b]], ["r"]),
            (7, [[a], [pack, b"l" * 32], [seg]], ["r"]),
            (11, [[b"l" * 32], []], ["r"]),
            (8, [[pack], [seg]], []),
            (9, [[b"u" * 32]], []),
            (10, [], [1, 2, "full", 3, 4, 0, [[b"q" * 32, [5]], [b"r" * 32, None]], [b"u" * 32]]),
        )
        first, second = history.archives[a], history.archives[b]
        self.assertEqual((first.name, first.tags, first.protected), ("renamed", ["x"], True))
        self.assertEqual((first.hidden, first.dropped, second.hidden, second.dropped), (True, True, False, False))
        self.assertEqual(history.live_segments(), [b"t" * 32])
        self.assertEqual(history.damaged, {b"q" * 32: [5], b"r" * 32: None})
        self.assertEqual((history.packs.swept, history.packs.condemned), ({pack}, set()))

    def test_refuses_broken_rules(self) -> None:
        a, b, pin, name = b"a" * 16, b"b" * 16, b"p" * 16, b"k" * 32
        delete = (2, [[a]], ["r"])
        condemn = (7, [[a], [name], [name]], ["r"])
        drop = [delete, condemn]
        sweep = (8, [[name], [name]], [])
        for entries in (
            [self.commit(a), self.commit(a)],
            [self.commit(b, a)],
            [self.commit(a), *drop, self.commit(b, a)],
            [self.commit(a), condemn],
            [self.commit(a), delete, (7, [[a, a], [], []], ["r"])],
            [self.commit(a), *drop, (3, [[a]], ["r"])],
            [self.commit(a), *drop, delete],
            [self.commit(a), *drop, (5, [pin, [a], 9], ["h"])],
            [(7, [[a], [], []], ["r"])],
            [(4, [[a], None], [None, None, None])],
            [(2, [[a]], ["r"])],
            [(5, [pin, [a], 9], ["h"])],
            [(6, [pin], [])],
            [self.commit(a), (5, [pin, [a], 9], ["h"]), (6, [pin], []), (5, [pin, [a], 9], ["h"])],
            [sweep],
            [self.commit(a), *drop, sweep, (11, [[name], []], ["r"])],
            [self.commit(a), *drop, sweep, (11, [[], [name]], ["r"])],
            [self.commit(a), *drop, sweep, sweep],
            [self.commit(a), *drop, (8, [[name, name], []], [])],
            [self.commit(a), *drop, (11, [[name], []], ["r"]), sweep],
            [self.commit(a), *drop, sweep, self.commit(b, packs=[name])],
            [self.commit(a), *drop, sweep, self.commit(b, rescued=[name])],
        ):
            with self.subTest(kinds=[entry[0] for entry in entries]):
                self.refuse(self.replay, *entries)

    def test_passes_over_what_takes_nothing_away(self) -> None:
        a, b, c, pin, pack = b"a" * 16, b"b" * 16, b"c" * 16, b"p" * 16, b"k" * 32
        _, public, sealed = self.commit(b)
        history = self.replay(
            self.commit(a),
            (7, [[], [pack, b"l" * 32], []], ["r"]),
            (1, [b, *public[1:]], [0]),
            (1, [c, *public[1:]], sealed),
            (11, [[pack], []], [0]),
            (9, [[b"u" * 32]], [0]),
            (5, [pin, [a], 9], [0]),
            (6, [pin], [0]),
            (2, [[c]], ["given up"]),
        )
        self.assertEqual([history.archives[wanted].unreadable != "" for wanted in (a, b, c)], [False, True, True])
        self.assertEqual(history.packs.condemned, {b"l" * 32})
        self.assertEqual((history.live_segments(), history.ended_pins), ([b"u" * 32], {pin}))
        (problem,) = history.problems()
        self.assertIn("log entry 3 commits", problem)
        for kind, public in ((2, [[a]]), (3, [[a]]), (4, [[a], None]), (7, [[], [], []]), (8, [[], []]), (10, [])):
            self.refuse(self.replay, self.commit(a), (kind, public, [0]))

    def test_chain(self) -> None:
        start = w.config()
        first = w.log_entry(10, 1, base.sha256(start), [], [1, 2, "full", 3, 4, 0, [], []])
        second = w.log_entry(10, 2, base.sha256(first), [], [1, 2, "full", 3, 4, 0, [], []])
        History().replay(start, [first, second], LOG)
        other = w.log_entry(10, 1, base.sha256(start), [], [1, 2, "full", 3, 4, 0, [], []])
        for objects in (
            [second],
            [first, first],
            [other, second],
            [w.log_entry(10, 1, bytes(32), [], [1, 2, "", 3, 4, 0, [], []])],
        ):
            self.refuse(History().replay, start, objects, LOG)


if __name__ == "__main__":
    unittest.main()
