"""Measures what the programs take, and writes docs/benchmarks/footprint.md.

Usage: footprint_page.py FOLDER [--programs DIR] [--static DIR] [--registry DIR] [--cold-build SECONDS] [--ci SECONDS]

DIR of --programs holds docketd and docket of a release build (target/release), that of --static the static ones (target/static, by deploy/static-build), that
of --registry two checkouts, `registry` and `index`, to import. How long a build
from nothing and a run of `.ci/run` took is told, not measured here. What is not given and not there is left out.
"""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from figures import table

TIMES = 5


def megabytes(count):
    return f"{count / 2**20:.1f} MB"


def milliseconds(times):
    return f"{statistics.median(times) * 1e3:.0f} ms"


class Server:
    """A docketd, with itself as the compiler."""

    def __init__(self, program, folder):
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [program, "--config", "docket.toml", "--data", "data", "--listen", "127.0.0.1:0"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().strip().removeprefix("docketd listening on ")
        self.ready_after = time.monotonic() - self.began

    def memory(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("RssAnon:")).split()[1]) * 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def prepare(folder, program):
    (folder / "compilers").mkdir()
    (folder / "compilers/purs").symlink_to(program)
    (folder / "docket.toml").write_text(
        f'[sources]\ngithub_url = "file://{folder}/git"\n[compilers]\npath = ["{folder}/compilers"]\n')


def started(program, folder):
    """Seconds to the ready line, and the memory of an idle server some seconds later."""
    times, memory = [], 0
    for _ in range(TIMES):
        with Server(program, folder) as server:
            times.append(server.ready_after)
            time.sleep(3)
            memory = server.memory()
    return milliseconds(times), megabytes(memory)


def git(folder, *arguments):
    identity = ["-c", "user.name=B", "-c", "user.email=b@docket.invalid"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def package(folder, version):
    """A package with its origin, tagged and pushed."""
    work = folder / f"work-{version}"
    (work / "src").mkdir(parents=True)
    (work / "purs.json").write_text(json.dumps({
        "name": "small", "version": version, "license": "MIT", "ref": f"v{version}", "dependencies": {},
        "location": {"githubOwner": "lab", "githubRepo": "small"}}))
    (work / "src/Small.purs").write_text("module Small where\n\nvalue :: Int\nvalue = 1\n")
    shutil.copy("LICENSE-MIT", work / "LICENSE")
    git(work, "init", "--quiet")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "small")
    git(work, "tag", f"v{version}")
    git(work, "remote", "add", "origin", str(folder / "git/lab/small"))
    git(work, "push", "--quiet", "origin", f"v{version}")
    return work


def feedback(docket, url, work, *arguments):
    """Seconds until `docket publish` says anything, until it names the job, and until it has ended."""
    began, said, named = time.monotonic(), None, None
    process = subprocess.Popen([docket, "--server", url, "publish", *arguments, work], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        said = said or time.monotonic() - began
        if "/logs/" in line:
            named = time.monotonic() - began
    if process.wait() != 0:
        raise SystemExit("the publish failed")
    return said, named, time.monotonic() - began


def published(programs, folder):
    subprocess.run(["git", "init", "--quiet", "--bare", folder / "git/lab/small"], check=True)
    plain, dry, after = [], [], []
    with Server(programs / "docketd", folder) as server:
        for number in range(TIMES):
            plain.append(feedback(programs / "docket", server.url, package(folder, f"1.{number}.0")))
            work = package(folder, f"2.{number}.0")
            dry.append(feedback(programs / "docket", server.url, work, "--dry-run"))
            after.append(feedback(programs / "docket", server.url, work))
    return [[what, *(milliseconds(column) for column in zip(*times))] for what, times in [
        ("publish", plain), ("publish --dry-run", dry), ("publish after it", after)]]


def size(program):
    """Bytes without debugging symbols."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "--strip-debug", "-o", stripped.name, program], check=True)
        return os.path.getsize(stripped.name)


def image_sizes(programs):
    """Bytes of the files of the image `api`, and of the same as a compressed archive."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["deploy/image-root", programs, f"{folder}/root"], check=True, stdout=subprocess.DEVNULL)
        files = [file for file in pathlib.Path(folder, "root").rglob("*") if file.is_file() and not file.is_symlink()]
        archive = shutil.make_archive(f"{folder}/image", "gztar", f"{folder}/root")
        return sum(file.stat().st_size for file in files), os.path.getsize(archive)


def crates(*arguments):
    tree = subprocess.run(["cargo", "tree", "--edges", "normal", "--prefix", "none", *arguments], check=True, capture_output=True, text=True)
    names = {tuple(line.split()[:2]) for line in tree.stdout.splitlines() if line and "(/" not in line}
    return len(names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--programs", type=pathlib.Path, default="target/release")
    parser.add_argument("--static", type=pathlib.Path, default="target/static")
    parser.add_argument("--registry", type=pathlib.Path)
    parser.add_argument("--cold-build", type=float)
    parser.add_argument("--ci", type=float)
    choice = parser.parse_args()
    programs = choice.programs.resolve()

    sizes = [[name, megabytes(size(programs / name))] for name in ("docketd", "docket")]
    if (choice.static / "docketd").exists():
        image, sent = image_sizes(choice.static.resolve())
        sizes += [[f"{name}, static", megabytes(size(choice.static / name))] for name in ("docketd", "docket")]
        sizes += [["the image `api`, not compressed", megabytes(image)], ["compressed, as it is sent", megabytes(sent)]]
    running = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        prepare(folder, programs / "docketd")
        running.append(["empty", *started(programs / "docketd", folder)])
        times = published(programs, folder)
    if choice.registry:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            prepare(folder, programs / "docketd")
            subprocess.run([programs / "docketd", "--data", folder / "data", "import", "--registry", choice.registry / "registry", "--index", choice.registry / "index"],
                           check=True, capture_output=True)
            running.append(["the real registry: 1,215 packages, 5,495 versions, 501 sets", *started(programs / "docketd", folder)])
    soak = pathlib.Path("target/soak.json")
    if soak.exists():
        after = json.loads(soak.read_text())["after"]
        running.append([f"after [the soak](soak.md), with {after['published']:,} versions", "", megabytes(after["own_kib"] * 1024)])
    building = [
        ["crates in `docketd` that are not ours", str(crates("--no-default-features", "--features", "server"))],
        ["crates in `docket` that are not ours (`--features cli`)", str(crates("--no-default-features", "--features", "cli"))],
    ]
    if choice.cold_build:
        building.append([f"release build from nothing on {os.cpu_count()} cores", f"{choice.cold_build / 60:.0f} min"])
    if choice.ci:
        building.append(["`.ci/run` on a machine where nothing was installed or compiled", f"{choice.ci / 60:.0f} min"])
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    (choice.folder / "footprint.md").write_text(f"""# What the programs take

    benches/run --footprint [--registry DIR] [--cold-build SECONDS] [--ci SECONDS]

{os.cpu_count()} cores; {datetime.date.today()}; load average at the end: {load}. Times are medians of {TIMES}.

## Programs

Without debugging symbols.

{table(["program", "size"], sizes)}

## A server that has nothing to do

From the start of the process to its ready line; and the memory it has for itself (`RssAnon`) three seconds later.

{table(["database (SQLite)", "to the ready line", "memory"], running)}

## `docket publish`

A small package, with the stand-in compiler; from the start of the process until it says what it does, until it names the job, and until it ends.

{table(["command", "first word", "names the job", "ends"], times)}

## Building

{table(["", ""], building)}
""")


main()
