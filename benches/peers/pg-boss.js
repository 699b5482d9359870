// pg-boss: batches, fetched without a pause while they are full, and LISTEN/NOTIFY.
import { PgBoss } from "pg-boss";
import { measure } from "./measure.js";

const QUEUE = "noop";
const QUIET = "quiet";
const boss = (url, more) => {
  const boss = new PgBoss({ connectionString: url, max: 16, schedule: false, useListenNotify: true, ...more });
  boss.on("error", (error) => console.error(error));
  return boss.start();
};

const batched = (batchSize) => ({ batchSize, localConcurrency: 2, burstWhenBatchFull: true });

await measure({
  name: "pg-boss",
  endToEnd: [
    { name: "2 workers, batches of 500", processes: 1, ...batched(500) },
    { name: "2 workers, batches of 1,000", processes: 1, ...batched(1000) },
    { name: "2 processes, each 2 workers, batches of 500", processes: 2, ...batched(500) },
  ],
  waits: [
    { name: "2 workers, batches of 500", ...batched(500) },
    { name: "10 workers, one job at a time", batchSize: 1, localConcurrency: 10 },
  ],
  enqueues: [
    { name: "in process, 8 callers, with notify", to: QUEUE },
    { name: "in process, 8 callers, without notify", to: QUIET },
  ],
  async open(url) {
    const queue = await boss(url);
    return {
      async prepare() {
        await queue.createQueue(QUEUE, { notify: true });
        await queue.createQueue(QUIET);
      },
      enqueue: ({ to } = { to: QUEUE }) => queue.send(to, {}),
      async fill(count) {
        for (let from = 0; from < count; from += 1000) await queue.insert(QUEUE, Array.from({ length: 1000 }, () => ({ data: {} })));
      },
      close: () => queue.stop({ graceful: false }),
    };
  },
  connect: (url) => boss(url, { supervise: false, migrate: false }),
  async work(worker, { name, processes, ...options }, onStart) {
    await worker.work(QUEUE, { pollingIntervalSeconds: 0.5, ...options }, async (jobs) => jobs.forEach(onStart));
    return { stop: () => worker.stop({ graceful: true }) };
  },
});
