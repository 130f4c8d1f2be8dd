#!/usr/bin/env python3
"""No wake-up is lost: hand-offs between two sleepers in every waiting form, written to results/handoffs.md.

    scripts/handoffs.py [COUNT]

COUNT hand-offs for each form, a million by default. It runs the tests of smd-lockfree/tests/wakeups.rs; a lost
wake-up hangs one of them, its watchdog fails it, and nothing is written.
"""

import datetime
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = [
    "cargo", "test", "--release", "-p", "smd-lockfree", "--test", "wakeups", "--",
    "--test-threads", "1", "--nocapture",
]
LINE = re.compile(r"handoffs (\w+): (\d+) in ([\d.]+) s")


def said(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def commit():
    changed = said("git", "status", "--porcelain", "--", ".", ":!results")
    return said("git", "rev-parse", "HEAD") + ("-dirty" if changed else "")


def processor():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    run = subprocess.run(
        COMMAND, cwd=ROOT, env={**os.environ, "SMD_HANDOFFS": str(count)}, capture_output=True, text=True
    )
    print(run.stdout, end="")
    if run.returncode != 0:
        sys.exit(f"the tests failed\n{run.stderr}")
    rows = LINE.findall(run.stdout)
    passed = int(re.search(r"(\d+) passed", run.stdout).group(1))
    if not rows or len(rows) != passed:
        sys.exit(f"{passed} tests passed and {len(rows)} said what they did")
    lines = [
        "# Hand-offs in every waiting form",
        "",
        "Written by `scripts/handoffs.py`; do not edit. Two participants hand a message to each other, each asleep until",
        "the other one has sent; a lost wake-up would have hung the run. The times hold the machine's wake-ups as well.",
        "",
        f"* command: `scripts/handoffs.py {count}`",
        f"* date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        f"* commit: {commit()}",
        f"* machine: {os.cpu_count()} processors of {processor()}",
        f"* system: {platform.system()} {platform.release()}",
        f"* compiler: {said('rustc', '--version')}",
        "",
        "| test | hand-offs | seconds | microseconds each |",
        "|---|---|---|---|",
    ]
    for test, made, seconds in rows:
        lines.append(f"| {test} | {made} | {seconds} | {float(seconds) / int(made) * 1e6:.2f} |")
    path = ROOT / "results" / "handoffs.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
