#!/usr/bin/env python3
"""Checks the object that `smd demo --seconds N --json` prints.

usage: check_demo_json.py SECONDS < object

Reads standard input; says what is wrong and ends with 1, or sums up and ends with 0.
"""

import json
import sys

CLASS = {"sent", "unwanted", "refused"}
COUNTS = ("delivered", "expired", "lagged", "wakes", "depth_max")
LATENCIES = ("p50_ns", "p99_ns", "p999_ns")
PARTICIPANT = {"name", "mask", "policy", "wait", *COUNTS, *LATENCIES}


def require(condition, message):
    if not condition:
        sys.exit(f"error: {message}")


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_class(name, counts):
    require(isinstance(counts, dict) and CLASS <= counts.keys(), f"class {name} lacks one of {sorted(CLASS)}")
    for key in CLASS:
        require(is_count(counts[key]), f"class {name}: {key} is {counts[key]!r}")


def check_participant(index, participant):
    require(isinstance(participant, dict), f"participant {index} is {participant!r}")
    missing = PARTICIPANT - participant.keys()
    name = participant.get("name", index)
    require(not missing, f"participant {name} lacks {sorted(missing)}")
    for key in COUNTS:
        require(is_count(participant[key]), f"participant {name}: {key} is {participant[key]!r}")
    if participant["delivered"] == 0:
        return
    latencies = [participant[key] for key in LATENCIES]
    require(all(is_count(value) for value in latencies), f"participant {name}: latencies are {latencies}")
    require(latencies == sorted(latencies), f"participant {name}: latencies fall: {latencies}")


def main():
    wanted = float(sys.argv[1])
    try:
        report = json.load(sys.stdin)
    except json.JSONDecodeError as error:
        sys.exit(f"error: not one JSON object: {error}")
    missing = {"seconds", "rate", "classes", "participants"} - report.keys()
    require(not missing, f"the object lacks {sorted(missing)}")
    require(wanted <= report["seconds"] + 0.1 <= wanted + 2, f"it ran {report['seconds']} s and not {wanted}")
    require(report["classes"] and report["participants"], "nobody sent, or nobody received")
    for name, counts in report["classes"].items():
        check_class(name, counts)
    for index, participant in enumerate(report["participants"]):
        check_participant(index, participant)
    sent = sum(counts["sent"] for counts in report["classes"].values())
    delivered = sum(participant["delivered"] for participant in report["participants"])
    require(sent > 0 and delivered > 0, f"{sent} messages sent, {delivered} delivered")
    print(
        f"{sent} messages of {len(report['classes'])} classes, "
        f"{delivered} deliveries to {len(report['participants'])} participants"
    )


if __name__ == "__main__":
    main()
