"""procrastinate on PostgreSQL, in the terms of measure.js."""

import asyncio
import json
import logging
import os
import time

import procrastinate

JOBS = 1_000
URL = os.environ["DOCKET_BENCH_POSTGRES_URL"]

# It warns that the app lives in the main module, which is where it is wanted.
logging.getLogger("procrastinate").setLevel(logging.ERROR)
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URL, min_size=4, max_size=16))
started = None


@app.task(name="noop")
async def noop():
    started()


def say(figure):
    print(json.dumps({"system": "procrastinate", "database": "PostgreSQL", **figure}), flush=True)


def worker(concurrency):
    # A finished job is deleted, which is cheaper than keeping it.
    options = {"concurrency": concurrency, "delete_jobs": "always", "install_signal_handlers": False}
    return asyncio.create_task(app.run_worker_async(**options))


async def stop(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def run(jobs):
    """Enqueues jobs one by one and returns the seconds until the last one of them has started."""
    global started
    left, last, done = jobs, 0.0, asyncio.Event()

    def started():
        nonlocal left, last
        left, last = left - 1, time.perf_counter()
        if left == 0:
            done.set()

    begun = time.perf_counter()
    await asyncio.gather(*(noop.defer_async() for _ in range(jobs)))
    await done.wait()
    return last - begun


async def end_to_end(concurrency):
    global started
    await noop.batch_defer_async(*({} for _ in range(JOBS)))
    left, done = JOBS, asyncio.Event()

    def started():
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    print(json.dumps({"begin": True}), flush=True)
    input()
    cpu, begun = time.process_time(), time.perf_counter()
    task = worker(concurrency)
    await done.wait()
    seconds = time.perf_counter() - begun
    used = time.process_time() - cpu
    setting = f"{concurrency} at once"
    say({"figure": "end to end", "setting": setting, "jobs": JOBS, "rate": JOBS / seconds, "own_cpu_us": used / JOBS * 1e6})
    input()
    await stop(task)


async def waits(concurrency):
    task = worker(concurrency)
    alone = []
    for number in range(250):
        wait = await run(1)
        if number >= 50:
            alone.append(wait * 1e3)
        await asyncio.sleep(0.01)
    alone.sort()
    setting = f"{concurrency} at once"
    say({"figure": "pick-up", "setting": setting, "p50_ms": alone[len(alone) // 2], "p99_ms": alone[len(alone) * 99 // 100]})
    longest = 0.0
    for _ in range(5):
        longest = max(longest, await run(200))
        await asyncio.sleep(0.01)
    say({"figure": "burst", "setting": setting, "longest_ms": longest * 1e3})
    await stop(task)


async def enqueues(callers):
    async def call(jobs):
        for _ in range(jobs // callers):
            await noop.defer_async()

    await asyncio.gather(*(call(JOBS // 10) for _ in range(callers)))
    print(json.dumps({"begin": True}), flush=True)
    input()
    cpu, begun = time.process_time(), time.perf_counter()
    await asyncio.gather(*(call(JOBS) for _ in range(callers)))
    seconds = time.perf_counter() - begun
    used = time.process_time() - cpu
    setting = f"in process, {callers} callers"
    say({"figure": "enqueue", "setting": setting, "jobs": JOBS, "rate": JOBS / seconds, "own_cpu_us": used / JOBS * 1e6})
    input()


async def main():
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for concurrency in (10, 30):
            await end_to_end(concurrency)
        await waits(10)
        await enqueues(8)


asyncio.run(main())
