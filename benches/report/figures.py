"""The figures that rounds.py gathered, and how they become text."""

import statistics
from typing import NamedTuple

# For each figure: its key in the JSON objects, whether more is better, and how several rounds become one value.
RATE = ("rate", True, statistics.median)
P50 = ("p50_ms", False, statistics.median)
P99 = ("p99_ms", False, statistics.median)
# The promise is about every job, so the worst round counts.
LONGEST = ("longest_ms", False, max)


class Target(NamedTuple):
    """What was promised, and what came of it."""

    figure: str
    ours: str
    other: str
    ratio: str
    target: str
    met: bool

    def verdict(self):
        return [self.ratio, self.target, "yes" if self.met else "**no**"]

    def row(self):
        return [self.figure, self.ours, self.other, *self.verdict()]


# The head of a table of targets.
TARGETS = ["figure", "Docket", "peer or raw loop", "ratio", "target", "met"]


class Figures:
    """The figures of all rounds."""

    def __init__(self, figures):
        self.figures = figures

    def settings(self, system, database, figure):
        """The settings a system was measured with, each with its figures."""
        found = {}
        for one in self.figures:
            if (one["system"], one["database"], one["figure"]) == (system, database, figure):
                found.setdefault(one.get("setting", ""), []).append(one)
        return found

    def medians(self, database, figure, *keys):
        """For each setting of ours its name and the medians of these values."""
        settings = self.settings("docket", database, figure)
        return [(setting, *(statistics.median(one[key] for one in rounds) for key in keys)) for setting, rounds in settings.items()]

    def best(self, system, database, figure, kind, only=""):
        """The best value over a system's settings whose name begins with `only`, and that setting; None when it has no such figure."""
        key, more, several = kind
        values = [
            (several([one[key] for one in rounds]), setting)
            for setting, rounds in self.settings(system, database, figure).items()
            if setting.startswith(only)
        ]
        return (max if more else min)(values, default=None)

    def cpu(self, system, database, figure, setting):
        """CPU time for each job or line in microseconds, of the client and of the server."""
        rounds = self.settings(system, database, figure)[setting]
        return tuple(statistics.median(one[key] for one in rounds) for key in ("own_cpu_us", "server_cpu_us"))


def number(value):
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
