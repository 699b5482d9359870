"""The page of the log's storage: lines appended, and the end of a long log read."""

from chart import chart
from figures import RATE, TARGETS, Target, number, table

DATABASES = ["PostgreSQL", "SQLite"]


def appends(figures):
    """The targets, every setting that was measured, and the chart's panels."""
    targets, rows, panels = [], [], []
    for database in DATABASES:
        ours, raw = (figures.best(system, database, "append", RATE) for system in ("docket", "raw loop"))
        ratio = ours[0] / raw[0]
        targets.append(Target(f"{database}: lines appended per second, 8 jobs at once", number(ours[0]), f"{number(raw[0])} (raw loop)", f"{ratio:.2f}", "≥ 1", ratio >= 1))
        bars = []
        for system in ("docket", "raw loop"):
            for setting in figures.settings(system, database, "append"):
                value, _ = figures.best(system, database, "append", RATE, setting)
                rows.append([database, system, setting, *map(number, (value, *figures.cpu(system, database, "append", setting)))])
                bars.append(("Docket" if system == "docket" else setting.replace("a statement for each row", "one by one").replace("one statement for all", "together"), value, number(value), system == "docket"))
        panels.append((f"{database}: durable lines per second", bars))
    return targets, table(["database", "system", "setting", "lines/s", "CPU here, µs", "CPU in the server, µs"], rows), panels


def reads(figures):
    """The targets, and the chart's panels."""
    targets, panels = [], []
    for database in DATABASES:
        bars = []
        for setting, short, long in figures.medians(database, "read", "short_ms", "long_ms"):
            title = f"{database}: last 100 lines, 10 million lines beside 10 thousand, ms ({setting})"
            targets.append(Target(title, f"{long:.3f}", f"{short:.3f}", f"{long / short:.2f}", "≤ 1.5", long <= 1.5 * short))
            rows, order = setting.split(", ")[0], setting.split("; ")[1]
            bars += [(f"10 million, {order}", long, f"{long:.2f}: {rows}", True), (f"10 thousand, {order}", short, f"{short:.2f}", False)]
        panels.append((f"{database}: milliseconds for the last 100 lines", bars))
    return targets, panels


def page(figures):
    """The page's text, its targets and its charts by name."""
    append_targets, every_append, append_panels = appends(figures)
    read_targets, read_panels = reads(figures)
    charts = {
        "log-append": chart("Durable lines per second", append_panels),
        "log-read": chart("Milliseconds for the last 100 lines", read_panels),
    }
    text = f"""# The log's storage

## Lines appended

Eight jobs of one worker write 50,000 lines each, of some 55 characters, as fast as they can; the clock stops when all are stored. The raw loops insert the same lines into a plain table
(`id, job, seq, at, level, message`, one line a row, no index besides the key), 100 rows in a transaction, through the same driver: one loop and eight at once, with a statement for each row and
with one for all. Durable as the databases come: PostgreSQL with fsync, SQLite with `synchronous = FULL`. The target is measured against the best of the raw loops.

{table(TARGETS, [target.row() for target in append_targets])}

{every_append}

![Durable lines per second](log-append.svg)

## The end of a log

The last 100 lines of a log, by the function all routes use: after a `seq`, as a watcher reads, and newest first. Medians of 1,000 reads, the two tables in turns. The table of
10 million lines holds 1,000 logs in rows of 100 lines, as the writer makes them for a job that is busy, and then, the worst there could be, one log with a row for each line.

{table(TARGETS, [target.row() for target in read_targets])}

![Milliseconds for the last 100 lines](log-read.svg)
"""
    return text, [*append_targets, *read_targets], charts
