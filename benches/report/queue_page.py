"""The page of the queue: end to end, pick-up, bursts, enqueues and claims, beside the peers."""

import statistics

from chart import chart
from figures import LONGEST, P50, P99, RATE, Target, number, table

PEERS = ["graphile-worker", "pg-boss", "procrastinate", "apalis"]
SYSTEMS = ["docket", *PEERS]


def label(system):
    return "Docket" if system == "docket" else system


def postgres(figures):
    """The table, the targets, the best rates and the fastest peer."""
    rates = {system: figures.best(system, "PostgreSQL", "end to end", RATE) for system in SYSTEMS}
    cpus = {system: sum(figures.cpu(system, "PostgreSQL", "end to end", rates[system][1])) for system in SYSTEMS}
    fastest = max(PEERS, key=lambda peer: rates[peer][0])
    rows, targets = [], []

    def judge(title, values, peer, target, met):
        """One row. `met` looks at our value and at the ratio to that of `peer`."""
        ratio = values["docket"] / values[peer]
        ours, other = number(values["docket"]), f"{number(values[peer])} ({peer})"
        targets.append(Target(f"PostgreSQL: {title}", ours, other, f"{ratio:.2f}", target, met(values["docket"], ratio)))
        rows.append([title, *(number(values[system]) for system in SYSTEMS), *targets[-1].verdict()])

    def best(figure, kind):
        values = {system: figures.best(system, "PostgreSQL", figure, kind)[0] for system in SYSTEMS}
        return values, (max if kind == RATE else min)(PEERS, key=values.get)

    judge("end to end, jobs/s", {system: rates[system][0] for system in SYSTEMS}, fastest, "≥ 1.5", lambda _, ratio: ratio >= 1.5)
    judge("CPU per job, µs", cpus, fastest, "≤ 0.75", lambda _, ratio: ratio <= 0.75)
    judge("enqueue one at a time, 8 callers, jobs/s (ours over HTTP)", *best("enqueue", RATE), "≥ 1", lambda _, ratio: ratio >= 1)
    judge("pick-up p50, ms", *best("pick-up", P50), "≤ 3 ms", lambda ours, _: ours <= 3)
    judge("pick-up p99, ms", *best("pick-up", P99), "≤ 1", lambda _, ratio: ratio <= 1)
    judge("burst of 200, longest wait, ms", *best("burst", LONGEST), "≤ 1,000 ms", lambda ours, _: ours <= 1000)
    head = ["PostgreSQL", "Docket", *PEERS, "ratio to the best peer", "target", "met"]
    return table(head, rows), targets, rates, fastest


def sqlite(figures):
    """The table, the targets and the bars."""

    def best(system, only=""):
        return figures.best(system, "SQLite", "end to end", RATE, only)

    # Label, best rate with its setting, and system.
    columns = [
        ("Docket", best("docket"), "docket"),
        ("huey, fsync off", best("huey", "fsync off"), "huey"),
        ("huey, fsync on", best("huey", "fsync on"), "huey"),
        ("apalis, synchronous OFF", best("apalis", "synchronous OFF"), "apalis"),
        ("apalis, synchronous FULL", best("apalis", "synchronous FULL"), "apalis"),
        ("raw loop", best("raw loop"), "raw loop"),
    ]
    rates = {label: rate for label, (rate, _), _ in columns}
    values = {label: number(rate) for label, rate in rates.items()}
    cpus = [number(sum(figures.cpu(system, "SQLite", "end to end", setting))) for _, (_, setting), system in columns]
    to_huey, to_raw = (rates["Docket"] / rates[other] for other in ("huey, fsync off", "raw loop"))
    title = "SQLite: end to end, jobs/s"
    targets = [
        Target(title, values["Docket"], f"{values['huey, fsync off']} (huey, fsync off)", f"{to_huey:.2f}", "≥ 3", to_huey >= 3),
        Target(title, values["Docket"], f"{values['raw loop']} (raw loop)", f"{to_raw:.2f}", "≥ 0.33", to_raw >= 1 / 3),
    ]
    rows = [
        ["end to end, jobs/s", *values.values(), *targets[0].verdict()],
        ["", *[""] * len(columns), *targets[1].verdict()],
        ["CPU per job, µs", *cpus, "", "", ""],
    ]
    head = ["SQLite", *values, "ratio to huey without fsync, and to the raw loop", "target", "met"]
    return table(head, rows), targets, sorted(columns, key=lambda column: column[1], reverse=True)


def claims(figures):
    rows, targets = [], []
    for database in ("SQLite", "PostgreSQL"):
        short, long = (
            statistics.median(one["ms_per_job"] for one in figures.figures if (one["figure"], one["database"], one.get("queued")) == ("claim", database, queued))
            for queued in (100, 100_000)
        )
        title = f"{database}: claim, ms per job: 100,000 queued beside 100"
        targets.append(Target(title, f"{long:.2f}", f"{short:.2f}", f"{long / short:.2f}", "≤ 2", long <= 2 * short))
        rows.append([database, f"{short:.2f}", f"{long:.2f}", *targets[-1].verdict()])
    return table(["claim, ms per job", "100 queued, 100 locks", "100,000 queued, 10,000 locks", "ratio", "target", "met"], rows), targets


def enqueues(figures):
    """Every enqueue that was measured."""
    rows = []
    for database, system in [("SQLite", "docket"), *(("PostgreSQL", system) for system in SYSTEMS)]:
        for setting, rounds in figures.settings(system, database, "enqueue").items():
            rate = statistics.median(one["rate"] for one in rounds)
            rows.append([database, system, setting, *map(number, (rate, *figures.cpu(system, database, "enqueue", setting)))])
    return table(["database", "system", "setting", "enqueues/s", "CPU here, µs", "CPU in the server, µs"], rows)


def everything(figures):
    """Every setting jobs were run with: medians, and the longest wait of all rounds."""
    rows, seen = [], []
    for one in figures.figures:
        key = one["database"], one["system"], one.get("setting", "")
        if one["figure"] not in ("end to end", "pick-up", "burst") or key in seen:
            continue
        seen.append(key)

        def of(figure, name, several=statistics.median):
            values = [x[name] for x in figures.settings(key[1], key[0], figure).get(key[2], [])]
            return number(several(values)) if values else ""

        row = [of("end to end", name) for name in ("rate", "own_cpu_us", "server_cpu_us")]
        row += [of("pick-up", "p50_ms"), of("pick-up", "p99_ms"), of("burst", "longest_ms", max)]
        rows.append([*key, *row])
    rows.sort(key=lambda row: row[0])
    return table(["database", "system", "setting", "jobs/s", "CPU here, µs", "CPU in the server, µs", "p50, ms", "p99, ms", "burst, ms"], rows)


def bars(figures, database, rates):
    """Rows for the two charts, from (label, (rate, setting), system)."""
    rate = [(label, best[0], number(best[0]), system == "docket") for label, best, system in rates]
    cpus = [(label, sum(figures.cpu(system, database, "end to end", best[1])), system) for label, best, system in rates]
    return rate, [(label, value, number(value), system == "docket") for label, value, system in cpus]


def page(figures):
    """The page's text, its targets and its charts by name."""
    on_postgres, targets, rates, fastest = postgres(figures)
    on_sqlite, sqlite_targets, sqlite_rates = sqlite(figures)
    claimed, claim_targets = claims(figures)
    postgres_rates = [(label(system), best, system) for system, best in rates.items()]
    rate, cpu = zip(bars(figures, "PostgreSQL", postgres_rates), bars(figures, "SQLite", sqlite_rates))
    enqueue = [(label(system), figures.best(system, "PostgreSQL", "enqueue", RATE)[0]) for system in SYSTEMS]
    enqueue = [(name, value, number(value), name == "Docket") for name, value in enqueue]
    titles = "PostgreSQL", "SQLite"
    charts = {
        "queue-rate": chart("Jobs per second, end to end", [(f"{t}: jobs per second", r) for t, r in zip(titles, rate)]),
        "queue-cpu": chart("CPU time per job", [(f"{t}: CPU µs per job, client and server", r) for t, r in zip(titles, cpu)]),
        "queue-enqueue": chart("Enqueues per second", [("PostgreSQL: enqueues per second, 8 callers; Docket over HTTP", enqueue)]),
    }
    text = f"""# The queue beside its peers

The job does nothing. Ours also takes a lock of its own and writes one log line; theirs need not. Each system is shown at the setting that was best for
the figure; CPU time is client and server together, at the setting with the most jobs/s. The best peer end to end is {fastest}, and the CPU ratio is to it.
Pick-up and bursts are timed from before the enqueue begins, its commit included, to the start of the job; the longest wait of a burst is that of all rounds.

{on_postgres}

{on_sqlite}

The raw loop claims and completes 100 rows per transaction through our driver and settings, without locks, leases, attempts or log.
[Where the time goes](queue-profile.md) tells what a job costs in each statement.

{claimed}

![Jobs per second, end to end](queue-rate.svg)

![CPU time per job](queue-cpu.svg)

## Enqueue one at a time

Eight callers, each of which begins its next enqueue when the one before is committed. Ours is `POST /api/v1/publish` of distinct packages: eight HTTP clients with a
connection each, in one process with the server, so the CPU time here is that of clients and server. The peers' are function calls in the process of the caller.

{enqueues(figures)}

![Enqueues per second](queue-enqueue.svg)

## Every setting

{everything(figures)}

The clock stops when the last job has run. A worker of apalis then has up to a batch of jobs left to note as done; that counts in the CPU time alone.
"""
    return text, [*targets, *sqlite_targets, *claim_targets], charts
