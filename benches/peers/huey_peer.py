"""huey on SQLite, its fsync on and off, in the terms of measure.js. No results are kept, and no periodic tasks are looked for."""

import json
import os
import tempfile
import threading
import time

from huey import SqliteHuey
from huey.consumer import Consumer

JOBS = {True: 2_000, False: 10_000}


def end_to_end(folder, fsync, workers):
    file = os.path.join(folder, f"{fsync}-{workers}.db")
    huey = SqliteHuey("bench", filename=file, fsync=fsync, results=False, journal_mode="wal")
    jobs = JOBS[fsync]
    left, lock, done = jobs, threading.Lock(), threading.Event()

    @huey.task()
    def noop():
        nonlocal left
        with lock:
            left -= 1
            if left == 0:
                done.set()

    for _ in range(jobs):
        noop()
    print(json.dumps({"begin": True}), flush=True)
    input()
    cpu, begun = time.process_time(), time.perf_counter()
    consumer = Consumer(huey, workers=workers, periodic=False, initial_delay=0.01, max_delay=0.1, check_worker_health=False)
    consumer.start()
    done.wait()
    seconds = time.perf_counter() - begun
    used = time.process_time() - cpu
    setting = f"fsync {'on' if fsync else 'off'}, {workers} {'thread' if workers == 1 else 'threads'}"
    figure = {"system": "huey", "database": "SQLite", "figure": "end to end", "setting": setting, "jobs": jobs}
    print(json.dumps({**figure, "rate": jobs / seconds, "own_cpu_us": used / jobs * 1e6}), flush=True)
    input()
    consumer.stop(graceful=True)


with tempfile.TemporaryDirectory() as folder:
    for fsync, workers in [(True, 1), (True, 4), (False, 1), (False, 2)]:
        end_to_end(folder, fsync, workers)
