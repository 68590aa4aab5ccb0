"""What the installed borg keeps of series of archives, by its own functions.

Reads one JSON object: `cases`, each with `zone`, `nowUs`, `within` (seconds), `rules` (rule to number) and `timesUs` (microseconds
since 1970, oldest first). Writes `version`, `rules` (those that this borg has), and for each case an array: per archive its rule and
number as borg prints them, or null when it goes.
"""

import collections
import datetime
import inspect
import json
import os
import sys
import time

import borg
from borg.helpers import misc

try:
    from borg.archiver.prune_cmd import PRUNING_PATTERNS, prune_split, prune_within
    from borg.archiver import prune_cmd as home
except ImportError:
    from borg.helpers.misc import PRUNING_PATTERNS, prune_split, prune_within

    home = misc

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
Archive = collections.namedtuple("Archive", "name id ts")
now = EPOCH


class Frozen(datetime.datetime):
    """Borg measures `--keep-within` from now: the now of the case."""

    @classmethod
    def now(cls, tz=None):
        return now


home.datetime = Frozen
# Borg 1.2 counts hours there, 1.4 seconds.
UNIT = 3600 if "hours" in inspect.signature(prune_within).parameters else 1


def moment(us):
    return EPOCH + datetime.timedelta(microseconds=us)


def decide(case):
    global now
    os.environ["TZ"] = case["zone"]
    time.tzset()
    now = moment(case["nowUs"])
    archives = [Archive(str(i), i, moment(us)) for i, us in enumerate(case["timesUs"])]
    # As `borg prune` lists them before it applies rules.
    archives.sort(key=lambda archive: archive.ts)
    archives.reverse()
    because = {}
    if case["within"] is not None:
        if case["within"] % UNIT != 0:
            raise SystemExit("this borg counts whole hours")
        prune_within(archives, case["within"] // UNIT, because)
    for rule in PRUNING_PATTERNS:
        prune_split(archives, rule, case["rules"].get(rule, 0), because)
    return [because.get(i) for i in range(len(archives))]


given = json.load(sys.stdin)
json.dump(
    {
        "version": borg.__version__,
        "rules": list(PRUNING_PATTERNS),
        "kept": [decide(case) for case in given["cases"]],
    },
    sys.stdout,
)
