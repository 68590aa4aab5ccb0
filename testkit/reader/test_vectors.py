"""Tests of verify_vectors: each kind holds once, and fails once for a wrong answer."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import minimal_writer as w
import verify_vectors
from testing import LOC, LOG, Base


class VectorsTest(Base):
    """verify_vectors itself: each kind holds once and fails once for a wrong answer."""

    def vectors(self) -> list:
        session = w.Session()
        held = w.KEYS.held
        wanted, sealed, _ = session.seal(1, b"hello", 1)
        chunks = [(1, wanted, sealed, 5)]
        pack = w.pack(session, 1, chunks)
        stream = w.stream([w.entry(b"a", mtime=2**60)])
        text = w.armor(w.key_values("write"))
        key, repo = session.key(1).hex(), w.REPO.hex()
        chunk = dict(session=key, repo=repo, sid=session.sid.hex(), type=1, id=wanted.hex(), sealed=sealed.hex())
        secret = dict(secret=held["skD"].hex(), epk=session.epk.hex(), psk=held["psk"].hex(), sid=session.sid.hex())
        record = {"type": 1, "session": 0, "offset": 0, "storedLen": len(sealed), "rawLen": 5, "id": wanted.hex()}
        sessions = [{"sid": session.sid.hex(), "epk": session.epk.hex()}]
        entry = w.log_entry(2, 3, bytes(32), [[bytes(16)]], ["r"])
        segment = w.segment(session, [(pack, 1, chunks)])
        slot = json.dumps(w.slot(text, "p", memory_kib=64))
        return [
            ("derivation", dict(root=w.ROOT.hex(), repo=repo, name="id data"), dict(key=held["idData"].hex())),
            (
                "public-keys",
                dict(root=w.ROOT.hex(), repo=repo),
                dict(pkD=w.KEYS.pk_data.hex(), fingerprint=w.KEYS.fingerprint.hex()),
            ),
            ("chunk-id", dict(idKey=held["idData"].hex(), type=1, plaintext=b"hello".hex()), dict(id=wanted.hex())),
            ("session", {**secret, "repo": repo, "pk": w.KEYS.pk_data.hex(), "class": "data"}, dict(session=key)),
            ("sealed-chunk", dict(**chunk, idKey=held["idData"].hex()), dict(plaintext=b"hello".hex())),
            (
                "pack",
                dict(loc=LOC.hex(), repo=repo, object=pack.hex()),
                dict(records=[record], sessions=sessions, dataStart=176),
            ),
            (
                "index-segment",
                dict(loc=LOC.hex(), repo=repo, object=segment.hex()),
                dict(records=[{**record, "pack": 0, "id": wanted.hex()[:32]}]),
            ),
            (
                "log-entry",
                dict(log=LOG.hex(), object=entry.hex()),
                dict(kind=2, seq="3", time=str(w.START), sealed="91a172"),
            ),
            (
                "tree",
                dict(stream=stream.hex()),
                dict(entries=[["61", 1, 0o644, os.getuid(), os.getgid(), str(2**60)]], names=["61"]),
            ),
            (
                "chunk-list",
                dict(list=w.run([(wanted, 5)]).hex(), level=0),
                dict(records=[dict(id=wanted.hex(), length="5")]),
            ),
            ("key-file", dict(text=text), dict(capabilities=dict(psk=held["psk"].hex(), skD=None))),
            ("recovery-key", dict(text=w.recovery()), dict(root=w.ROOT.hex(), repo=repo)),
            ("key-slot", dict(slot=slot, passphrase="p"), dict(text=text)),
            (
                "config",
                dict(object=w.config().hex(), log=LOG.hex()),
                dict(features=[], chunkers=dict(data=w.CHUNKERS[0])),
            ),
            (
                "cdc",
                dict(cdc="00" * 32, repo=repo, min=64, average=128, max=512, seedHex="01", length=10),
                dict(cuts=[10]),
            ),
            ("padme", dict(n="9"), dict(padded=10)),
        ]

    def test_every_kind(self) -> None:
        vectors = self.vectors()
        self.assertEqual({kind for kind, _, _ in vectors}, set(verify_vectors.KINDS))
        for kind, inputs, outputs in vectors:
            with self.subTest(kind=kind):
                vector = {"kind": kind, "reason": "test", "expect": "ok", "inputs": inputs, "outputs": outputs}
                self.assertIsNone(verify_vectors.verify(vector))
                self.assertIsNotNone(verify_vectors.verify({**vector, "expect": "fail"}))
                self.assertIsNotNone(verify_vectors.verify({**vector, "outputs": {}}))
                name = next(iter(outputs))
                self.assertIsNotNone(verify_vectors.verify({**vector, "outputs": {name: "00"}}))
                with self.assertRaises(verify_vectors.VectorError):
                    verify_vectors.verify({**vector, "inputs": {**inputs, "other": "00"}})
                with self.assertRaises(verify_vectors.VectorError):
                    verify_vectors.verify({**vector, "inputs": {}})

    def test_fail(self) -> None:
        vector = {"kind": "tree", "reason": "cut short", "expect": "fail", "inputs": {"stream": "01"}}
        self.assertIsNone(verify_vectors.verify(vector))

    def test_main_counts(self) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertEqual(verify_vectors.main(folder), 1)  # nothing checked is no success
            good = {"kind": "padme", "reason": "r", "expect": "ok", "inputs": {"n": 9}, "outputs": {"padded": 10}}
            for name, vector in (("a.json", good), ("b.json", {**good, "outputs": {"padded": 9}}), ("c.json", {})):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    json.dump(vector, file)
            self.assertEqual(verify_vectors.main(folder), 1)
        self.assertIn("1 passed, 2 failed", out.getvalue())


if __name__ == "__main__":
    unittest.main()
