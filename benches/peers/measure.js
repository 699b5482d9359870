// What every Node peer is measured by. A peer module exports:
//
//   name                            as the report calls it
//   endToEnd: [setting]             each with a `name` and the number of `processes`
//   waits: [setting]                for jobs on an idle system
//   enqueues: [setting]             each of them, besides its name, an argument of enqueue()
//   open(url)                       → { prepare(), enqueue(setting), fill(count), close() }
//   connect(url)                    whatever a worker can have before it starts
//   work(it, setting, onStart)      starts a worker that calls onStart() for each job → { stop() }
//
// Prints one JSON object per figure. Before a round that has a rate it prints {"begin": true}, and there and after the figure it waits for a
// line: whoever reads this measures the server's CPU time meanwhile.
import { once } from "node:events";
import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const url = process.env.DOCKET_BENCH_POSTGRES_URL;
const JOBS = 20_000;
const WARM_UP = 4_000;

const print = (object) => process.stdout.write(JSON.stringify(object) + "\n");
const told = () => once(process.stdin, "data");
const next = (child) => new Promise((resolve, reject) => {
  child.once("message", resolve);
  child.once("exit", (code) => reject(new Error(`a worker ended with ${code}`)));
});

/** Jobs that are stored before the first worker starts; the processes are connected and warm by then. */
async function endToEnd(peer, queue, setting) {
  const workers = Array.from({ length: setting.processes }, () => fork(process.argv[1], ["worker", JSON.stringify(setting)]));
  for (const jobs of [WARM_UP, JOBS]) {
    await queue.fill(jobs);
    for (const worker of workers) worker.send("connect");
    await Promise.all(workers.map(next));
    let left = jobs;
    const done = new Promise((resolve) => {
      for (const worker of workers) {
        worker.on("message", ({ ran }) => (left -= ran) <= 0 && resolve());
      }
    });
    print({ begin: true });
    await told();
    const start = performance.now();
    for (const worker of workers) worker.send("work");
    await done;
    const seconds = (performance.now() - start) / 1000;
    for (const worker of workers) worker.removeAllListeners("message");
    const ends = workers.map(next);
    for (const worker of workers) worker.send("stop");
    const used = (await Promise.all(ends)).reduce((sum, end) => sum + end.used, 0);
    if (jobs === JOBS) {
      print({ system: peer.name, database: "PostgreSQL", figure: "end to end", setting: setting.name, jobs, rate: jobs / seconds, own_cpu_us: used / jobs });
      await told();
    }
  }
  for (const worker of workers) worker.kill();
}

/** A process that works between "work" and "stop" and tells how many jobs it ran, and the CPU time that took. */
function worker(peer, setting) {
  let connected, running, before, ran, timer;
  const tell = () => {
    if (ran > 0) process.send({ ran });
    ran = 0;
  };
  process.on("message", async (message) => {
    if (message === "connect") {
      connected = await peer.connect(url);
      process.send({ connected: true });
    } else if (message === "work") {
      before = process.cpuUsage();
      ran = 0;
      timer = setInterval(tell, 2);
      running = peer.work(connected, setting, () => ran++);
    } else {
      await (await running).stop();
      clearInterval(timer);
      const { user, system } = process.cpuUsage(before);
      process.send({ used: user + system });
    }
  });
}

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/** One job at a time on an idle system, and then bursts; from before the enqueue begins to the job's start. */
async function waits(peer, queue, setting) {
  let started;
  const running = await peer.work(await peer.connect(url), setting, () => started());
  const run = async (jobs) => {
    let left = jobs;
    let last;
    const all = new Promise((resolve) => {
      started = () => {
        last = performance.now();
        if (--left === 0) resolve();
      };
    });
    const begun = performance.now();
    await Promise.all([all, ...Array.from({ length: jobs }, () => queue.enqueue())]);
    await sleep(10);
    return last - begun;
  };
  for (let number = 0; number < 50; number++) await run(1);
  const alone = [];
  for (let number = 0; number < 500; number++) alone.push(await run(1));
  alone.sort((a, b) => a - b);
  const common = { system: peer.name, database: "PostgreSQL", setting: setting.name };
  print({ ...common, figure: "pick-up", p50_ms: quantile(alone, 0.5), p99_ms: quantile(alone, 0.99) });
  let longest = 0;
  for (let burst = 0; burst < 10; burst++) longest = Math.max(longest, await run(200));
  print({ ...common, figure: "burst", longest_ms: longest });
  await running.stop();
}

/** One job at a time by each of several callers in this process, without a worker. */
async function enqueues(peer, queue, setting) {
  const CALLERS = 8;
  const call = async (jobs) => {
    for (let number = 0; number < jobs; number += CALLERS) await queue.enqueue(setting);
  };
  const callAll = (jobs) => Promise.all(Array.from({ length: CALLERS }, () => call(jobs)));
  const jobs = 8_000;
  await callAll(jobs / 10);
  print({ begin: true });
  await told();
  const before = process.cpuUsage();
  const start = performance.now();
  await callAll(jobs);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  print({ system: peer.name, database: "PostgreSQL", figure: "enqueue", setting: setting.name, jobs, rate: jobs / seconds, own_cpu_us: (user + system) / jobs });
  await told();
}

/** Measures a peer; in a child process, works for it. */
export async function measure(peer) {
  if (process.argv[2] === "worker") return worker(peer, JSON.parse(process.argv[3]));
  const queue = await peer.open(url);
  await queue.prepare();
  for (const setting of peer.endToEnd) await endToEnd(peer, queue, setting);
  for (const setting of peer.waits) await waits(peer, queue, setting);
  for (const setting of peer.enqueues) await enqueues(peer, queue, setting);
  await queue.close();
  process.exit(0);
}
