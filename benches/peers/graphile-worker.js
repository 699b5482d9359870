// graphile-worker: a local queue, completions in batches and prepared statements.
import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";
import { measure } from "./measure.js";

const quiet = new Logger(() => () => {});

const batched = (concurrentJobs, size) => ({ concurrentJobs, localQueue: { size }, completeJobBatchDelay: 0, failJobBatchDelay: 0 });

await measure({
  name: "graphile-worker",
  endToEnd: [
    { name: "100 at once, local queue of 1,000", processes: 1, ...batched(100, 1000) },
    { name: "500 at once, local queue of 2,000", processes: 1, ...batched(500, 2000) },
    { name: "2 processes, each 500 at once, local queue of 1,000", processes: 2, ...batched(500, 1000) },
  ],
  waits: [
    { name: "10 at once, no local queue", concurrentJobs: 10 },
    { name: "100 at once, local queue of 1,000", ...batched(100, 1000) },
  ],
  enqueues: [{ name: "in process, 8 callers" }],
  async open(url) {
    const pool = new pg.Pool({ connectionString: url, max: 16 });
    return {
      prepare: () => runMigrations({ connectionString: url, preset: { worker: { logger: quiet } } }),
      enqueue: () => pool.query({ name: "enqueue", text: "SELECT graphile_worker.add_job('noop', '{}')" }),
      fill: (count) =>
        pool.query(
          "SELECT graphile_worker.add_jobs(array_agg(('noop', '{}', NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec)) FROM generate_series(1, $1::int)",
          [count],
        ),
      close: () => pool.end(),
    };
  },
  connect: (url) => url,
  work: (connectionString, { name, processes, ...worker }, onStart) =>
    run({
      preset: { worker: { connectionString, maxPoolSize: 16, logger: quiet, ...worker } },
      noHandleSignals: true,
      taskList: { noop: () => onStart() },
      parsedCronItems: [],
    }),
});
