"""Writes snapshots of nothing into a restic repository: restic itself takes a second for each.

    restic-snapshots.py REPOSITORY MASTERKEY < series

MASTERKEY is what `restic cat masterkey` prints; standard input is a JSON array of series, each `{host, zone, timesUs}`. Files are
sealed as restic's design document says ("Keys, Encryption and MAC"): nonce, AES-256-CTR, Poly1305-AES.
"""

import base64
import datetime
import hashlib
import json
import os
import pathlib
import sys
import zoneinfo

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

repository = pathlib.Path(sys.argv[1])
master = json.loads(sys.argv[2])
encrypt = base64.b64decode(master["encrypt"])
mac_k = base64.b64decode(master["mac"]["k"])
mac_r = bytearray(base64.b64decode(master["mac"]["r"]))
for i in (3, 7, 11, 15):
    mac_r[i] &= 15
for i in (4, 8, 12):
    mac_r[i] &= 252


def seal(plain):
    nonce = os.urandom(16)
    text = Cipher(algorithms.AES(encrypt), modes.CTR(nonce)).encryptor().update(plain)
    pad = Cipher(algorithms.AES(mac_k), modes.ECB()).encryptor().update(nonce)
    return nonce + text + Poly1305.generate_tag(bytes(mac_r) + pad, text)


for series in json.load(sys.stdin):
    zone = zoneinfo.ZoneInfo(series["zone"])
    for number, us in enumerate(series["timesUs"]):
        utc = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=us)
        snapshot = {
            "time": utc.astimezone(zone).isoformat(),
            "tree": hashlib.sha256(b"").hexdigest(),
            "paths": ["/nothing"],
            "hostname": series["host"],
            "username": str(number),
        }
        sealed = seal(json.dumps(snapshot).encode())
        (repository / "snapshots" / hashlib.sha256(sealed).hexdigest()).write_bytes(sealed)
