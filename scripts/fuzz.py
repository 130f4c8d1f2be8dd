#!/usr/bin/env python3
"""Runs every fuzz target for a while and writes results/fuzz.md and results/fuzz.json.

    scripts/fuzz.py [--seconds N] [--jobs N] [--only A,B] [--out DIRECTORY]

Each begins with what fuzz/corpus has of it, which it adds to, and with the committed seeds. Ends with 1 if one
found something or ran nothing; with 77 if cargo-fuzz or a nightly compiler is not here (cargo install cargo-fuzz
--locked; rustup toolchain install nightly).
"""

import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUZZ = ["cargo", "+nightly", "fuzz"]
SKIPPED = 77
# A target whose process does not end this many seconds after its time has hung.
GRACE = 120


def said(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def about(target):
    """The first sentence of a target's own documentation."""
    text = (ROOT / "fuzz/fuzz_targets" / f"{target}.rs").read_text(encoding="utf-8")
    words = []
    for line in text.splitlines():
        if not line.startswith("//! "):
            break
        words.append(line[4:].strip())
    return re.split(r"[.:](?: |$)", " ".join(words), maxsplit=1)[0]


def last(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def run(target, seconds):
    """One target: what it did, and whether it found something."""
    corpus = ROOT / "fuzz/corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "fuzz/seeds" / target
    inputs = [str(corpus)] + ([str(seeds)] if seeds.is_dir() else [])
    command = FUZZ + ["run", "--fuzz-dir", "fuzz", target, *inputs, "--"]
    command += [f"-max_total_time={seconds}", "-print_final_stats=1"]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds + GRACE,
            check=False,
        )
        output, failed = done.stdout, done.returncode != 0
    except subprocess.TimeoutExpired as hung:
        output, failed = (hung.stdout or b"").decode(errors="replace"), True
    executions = last(r"stat::number_of_executed_units:\s+(\d+)", output)
    if failed or executions == 0:
        print(output[-4000:], file=sys.stderr)
    return {
        "target": target,
        "what": about(target),
        "seeds": sum(1 for _ in seeds.iterdir()) if seeds.is_dir() else 0,
        "seconds": last(r"Done \d+ runs in (\d+) second", output),
        "executions": executions,
        "edges": last(r"\bcov: (\d+)", output),
        "features": last(r"\bft: (\d+)", output),
        "corpus": last(r"\bcorp: (\d+)", output),
        "found": failed,
    }


def page(facts, rows):
    lines = [
        "# Fuzzing",
        "",
        "Written by `scripts/fuzz.py`; do not edit. *Edges* and *features* are libFuzzer's: the edges of the control flow that"
        " were reached, and those together with how often and by which compared values; *corpus* is what reached something"
        " new. All with the address sanitizer. Raw figures: `fuzz.json`.",
        "",
    ]
    lines += [f"* {name}: {value}" for name, value in facts.items()]
    lines += [
        "",
        "| target | what | seeds | seconds | executions | edges | features | corpus | found |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        found = "**something**" if row["found"] else "nothing"
        numbers = " | ".join(str(row[key]) for key in ("seeds", "seconds", "executions", "edges", "features", "corpus"))
        lines.append(f"| `{row['target']}` | {row['what']} | {numbers} | {found} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=900, help="for each target (900)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets side by side (all processors)")
    parser.add_argument("--only", default="", help="these targets; nothing is written then, unless --out says where")
    parser.add_argument("--out", type=pathlib.Path, help="where the report goes (results)")
    options = parser.parse_args()
    if options.seconds < 1 or options.jobs < 1:
        parser.error("--seconds and --jobs take a number above zero")
    known = said(*FUZZ, "list", "--fuzz-dir", "fuzz").split()
    if not known:
        print("skipped: cargo-fuzz or a nightly compiler is not here")
        return SKIPPED
    targets = options.only.split(",") if options.only else known
    unknown = [target for target in targets if target not in known]
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; there are: {', '.join(known)}")
    subprocess.run(FUZZ + ["build", "--fuzz-dir", "fuzz"], cwd=ROOT, check=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        rows = list(pool.map(lambda target: run(target, options.seconds), targets))
    for row in rows:
        outcome = "FOUND SOMETHING" if row["found"] else "nothing found"
        print(f"{row['target']:12} {row['executions']:>12} executions, {row['edges']} edges: {outcome}")
    facts = {
        "command": f"`scripts/fuzz.py {' '.join(sys.argv[1:])}`".replace(" `", "`"),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": said("git", "rev-parse", "HEAD"),
        "machine": f"{os.cpu_count()} processors of {processor()}, {min(options.jobs, len(targets))} targets side by side",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "compiler": said("rustup", "run", "nightly", "rustc", "--version"),
    }
    out = options.out or (None if options.only else ROOT / "results")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "fuzz.md").write_text(page(facts, rows), encoding="utf-8")
        (out / "fuzz.json").write_text(json.dumps({**facts, "targets": rows}, indent=1) + "\n", encoding="utf-8")
        print(f"written: {out / 'fuzz.md'}")
    return 1 if any(row["found"] or row["executions"] == 0 for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
