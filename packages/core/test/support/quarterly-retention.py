"""What Borg's documentation says is kept of series of archives, for rules that the installed Borg may not have.

Written from the description of `borg prune` (version 1.4), and not from its code: "keep the latest backup of each" period, "up to N
most recent" ones; "periods without backups do not count"; "backups selected by previous rules do not count towards those of later
rules"; rules apply in the order below; "a negative number means that there is no limit"; the oldest archive is kept when a rule "was
not otherwise able to meet its retention target"; local time, weeks from Monday. `13weekly`: quarters are weeks 1-13, 14-26, 27-39 and
the rest of an ISO year. `3monthly`: January to March, and so on.

Reads one JSON object: `cases`, each with `zone`, `rules` (rule to number) and `timesUs` (microseconds since 1970, oldest first).
Writes for each case an array: per archive its rule and number, or null when it goes.
"""

import datetime
import json
import sys
import zoneinfo


def quarter_of_weeks(local):
    year, week, _ = local.isocalendar()
    for quarter, last in enumerate((13, 26, 39, 53), start=1):
        if week <= last:
            return (year, quarter)


PERIODS = {
    "hourly": lambda local: (local.date(), local.hour),
    "daily": lambda local: local.date(),
    "weekly": lambda local: local.isocalendar()[:2],
    "monthly": lambda local: (local.year, local.month),
    "13weekly": quarter_of_weeks,
    "3monthly": lambda local: (local.year, (local.month - 1) // 3),
    "yearly": lambda local: local.year,
}


def decide(case):
    zone = zoneinfo.ZoneInfo(case["zone"])
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    local = [(epoch + datetime.timedelta(microseconds=us)).astimezone(zone) for us in case["timesUs"]]
    because = [None] * len(local)
    for rule, period_of in PERIODS.items():
        wanted = case["rules"].get(rule, 0)
        # The newest of each run of archives of one period; of equal times the one that came last is the newer one.
        order = sorted(range(len(local)), key=lambda i: (case["timesUs"][i], i), reverse=True)
        newest = [i for at, i in enumerate(order) if at == 0 or period_of(local[order[at - 1]]) != period_of(local[i])]
        free = [i for i in newest if because[i] is None]
        chosen = free if wanted < 0 else free[:wanted]
        for number, i in enumerate(chosen, start=1):
            because[i] = f"{rule} {number}"
        if len(chosen) < wanted and because[order[-1]] is None:
            because[order[-1]] = f"{rule}[oldest] {len(chosen) + 1}"
    return because


json.dump([decide(case) for case in json.load(sys.stdin)["cases"]], sys.stdout)
