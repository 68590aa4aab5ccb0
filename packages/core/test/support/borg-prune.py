"""Runs `borg prune --dry-run --list` for many series of archives, by borg's own program in one process: it takes half a second to start.

Reads a JSON array of repositories, each an array of series with `name`, `zone`, `nowUs`, `options` and `timesUs` (microseconds since
1970, oldest first). What each `prune` lists goes to standard error; its archives are `NAME-000`, `NAME-001`, and so on. Writes a JSON
object: `version`, and `rules` that this borg has.

The archives are entries of the manifest, with names and times as `borg create --timestamp` writes them. There is nothing behind them:
a dry run reads no more, and a thousand commits would wait for the disk.
"""

import datetime
import hashlib
import json
import os
import sys
import time

import borg
from borg import archiver as program
from borg.cache import Cache
from borg.helpers import Manifest
from borg.logger import setup_logging
from borg.repository import Repository

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
now = EPOCH


class Frozen(datetime.datetime):
    """Borg measures `--keep-within` from now: the now of the series."""

    @classmethod
    def now(cls, tz=None):
        return now


sys.modules[program.prune_within.__module__].datetime = Frozen
archiver = program.Archiver()
# It takes longer to build than all that it is used for.
parser = archiver.build_parser()
archiver.build_parser = lambda: parser


def moment(us):
    return EPOCH + datetime.timedelta(microseconds=us)


def run(*arguments):
    if archiver.run(archiver.parse_args(list(arguments))) != 0:
        raise SystemExit("borg " + " ".join(arguments))


def fill(path, series):
    with Repository(path, exclusive=True) as repository:
        manifest, key = Manifest.load(repository, Manifest.NO_OPERATION_CHECK)
        for one in series:
            for number, us in enumerate(one["timesUs"]):
                name = f"{one['name']}-{number:03d}"
                manifest.archives[name] = hashlib.sha256(name.encode()).digest(), moment(us)
        manifest.write()
        repository.commit(compact=False)
        with Cache(repository, key, manifest, sync=False) as cache:
            cache.begin_txn()
            cache.commit()


setup_logging()
for number, series in enumerate(json.load(sys.stdin)):
    path = os.path.join(os.environ["BORG_BASE_DIR"], f"repository-{number}")
    run("init", "-e", "none", path)
    fill(path, series)
    for one in series:
        os.environ["TZ"] = one["zone"]
        time.tzset()
        now = moment(one["nowUs"])
        run("prune", "--dry-run", "--list", f"--glob-archives={one['name']}-*", *one["options"], path)
json.dump({"version": borg.__version__, "rules": list(program.PRUNING_PATTERNS)}, sys.stdout)
