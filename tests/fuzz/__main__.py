"""``python -m tests.fuzz KIND``: run many cases of a kind and say what they came to."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from importlib import import_module
from itertools import islice
from pathlib import Path

from tests.fuzz.harness import MEMORY, SECONDS, run_all

KINDS = ("configs", "images", "weights", "components", "manifests", "traces")


def main() -> int:
    """Run the cases that the command line asks for; the exit code is 1 if any went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kind", choices=(*KINDS, "names", "selfcheck"))
    parser.add_argument("--count", type=int, default=100, help="how many cases")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other cases")
    parser.add_argument("--first", type=int, default=0, help="the case to begin with")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="the longest for one")
    parser.add_argument("--memory", type=float, default=MEMORY, help="the most bytes for one")
    parser.add_argument("--keep", type=Path, help="keep the folders of what went wrong here")
    parser.add_argument("--verbose", action="store_true", help="print a line for every case")
    parser.add_argument("--json", type=Path, help="write the summary here")
    args = parser.parse_args()
    generator = import_module(f"tests.fuzz.{args.kind}")
    cases = islice(generator.cases(args.seed, args.first + args.count), args.first, None)
    kinds: Counter[str] = Counter()
    wrong, slowest, peak, started = [], 0.0, 0.0, time.monotonic()
    for outcome in run_all(cases, seconds=args.seconds, memory=args.memory, keep=args.keep):
        kinds[outcome.kind] += 1
        slowest, peak = max(slowest, outcome.seconds), max(peak, outcome.memory)
        if args.verbose:
            print(
                f"{outcome.kind:8} {outcome.seconds:5.1f} s {outcome.memory / 1e6:5.0f} MB"
                f" {outcome.name}",
                flush=True,
            )
        if not outcome.good:
            wrong.append({"name": outcome.name, "kind": outcome.kind, "said": outcome.said})
            print(f"--- {outcome.name}: {outcome.kind}\n{outcome.said}", flush=True)
    summary = {
        "kind": args.kind,
        "seed": args.seed,
        "first": args.first,
        "cases": sum(kinds.values()),
        "outcomes": dict(sorted(kinds.items())),
        "slowest_s": round(slowest, 2),
        "largest_mb": round(peak / 1e6),
        "seconds": round(time.monotonic() - started, 1),
        "wrong": wrong,
    }
    print(json.dumps({key: value for key, value in summary.items() if key != "wrong"}))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(summary, indent=2) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
