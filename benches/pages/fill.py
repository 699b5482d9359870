"""Stores jobs with long logs in the database of a registry on SQLite, without running them.

Usage: fill.py DATABASE LINES...; prints the id of a job for each number of lines. The tables are those of migrations/jobs.
"""

import json
import sqlite3
import sys
import time

ROW_LINES = 100


def line(number, at):
    """What a build says: mostly short, now and then a warning, sometimes in colour."""
    if number % 997 == 0:
        return [at, 20, f"[WARN] src/Module{number}.purs:{number % 300}:1 An unused import of Data.Maybe"]
    if number % 50 == 0:
        return [at, 10, f"\x1b[32mok\x1b[0m {number} modules are compiled, {number * 7 % 1000} ms"]
    return [at, 10, f"[{number} of 1000000] Compiling Data.Module{number * 31 % 5000}.Part{number % 17}"]


def job(database, lines):
    start = int(time.time() * 1000) - lines - 60_000
    id = f"{start >> 16:08x}-{start & 0xFFFF:04x}-7000-8000-{lines:012x}"
    database.execute(
        "INSERT INTO job (id, kind, state, priority, payload, package_name, package_version, dedup_key, attempt, run_after, created_at, started_at, finished_at,"
        " log_seq, log_at) VALUES (?, 'publish', 'succeeded', 0, '{}', 'prelude', '6.0.1', ?, 1, ?, ?, ?, ?, ?, ?)",
        (id, f"bench {lines}", start, start, start, start + lines, lines, start + lines),
    )
    rows = (
        (id, first, last, start + first, start + last, 20 if any(n % 997 == 0 for n in range(first, last + 1)) else 10,
         json.dumps([line(n, start + n) for n in range(first, last + 1)]))
        for first in range(1, lines + 1, ROW_LINES)
        for last in [min(first + ROW_LINES - 1, lines)]
    )
    database.executemany("INSERT INTO job_log (job_id, first_seq, last_seq, first_at, last_at, max_level, lines) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    for place, name in enumerate(["Fetch the source", "Compile", "Pack and upload"]):
        first = 1 + place * lines // 3
        database.execute("INSERT INTO job_step (job_id, first_seq, attempt, name, started_at, before_at) VALUES (?, ?, 1, ?, ?, ?)", (id, first, name, start + first, start))
    return id


database = sqlite3.connect(sys.argv[1])
with database:
    for lines in sys.argv[2:]:
        print(job(database, int(lines)))
