"""``python -m tests.fuzz.kills``: kill -9 every long command at random moments, start it again.

After each kill nothing that is there may be half-written, and training may have lost no more than
an interval; once a run gets to its end, it has to hold what an unbroken run holds, bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.harness import warm_up
from tests.fuzz.killed_commands import SCENARIOS, Scenario

LEFT_OVER = ".*.tmp*"


@dataclass
class Tally:
    """What the kills of one command came to."""

    command: str
    kills: int = 0
    runs_completed: int = 0
    most_lost: int = 0
    """Iterations done and not saved when a kill came, at most (training)."""
    interval: int = 0
    seconds_unbroken: float = 0.0
    wrong: list[str] = field(default_factory=list)


def main() -> int:
    """Kill as often as the command line asks; the exit code is 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.kills", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="part of the full 240 kills")
    parser.add_argument("--only", nargs="*", choices=[s.name for s in SCENARIOS], help="these")
    parser.add_argument("--seed", type=int, default=0, help="other moments")
    parser.add_argument("--json", type=Path, help="write the summary here")
    args = parser.parse_args()
    warm_up()
    tallies = []
    for scenario in SCENARIOS:
        if args.only and scenario.name not in args.only:
            continue
        kills = max(1, round(scenario.kills * args.share))
        with tempfile.TemporaryDirectory(prefix="realdeg-kills-") as root:
            tally = kill_often(scenario, Path(root), kills, random.Random(f"{args.seed}"))
        print(json.dumps(asdict(tally)), flush=True)
        tallies.append(tally)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        rows = [asdict(tally) for tally in tallies]
        args.json.write_text(json.dumps({"seed": args.seed, "commands": rows}, indent=2) + "\n")
    return 1 if any(tally.wrong for tally in tallies) else 0


def kill_often(scenario: Scenario, root: Path, kills: int, drawn: random.Random) -> Tally:
    """Run one command again and again, killing it, until it was killed often enough.

    Args:
        scenario: The command.
        root: An empty folder.
        kills: How many kills have to hit a living process.
        drawn: Where the moments come from.
    """
    tally = Tally(scenario.name, interval=scenario.interval)
    whole = _fresh(scenario, root / "whole")
    started = time.monotonic()
    code, said = _run(scenario, whole, None)
    tally.seconds_unbroken = round(time.monotonic() - started, 2)
    if code != 0:
        tally.wrong.append(f"the unbroken run left with {code}: {said[-2000:]}")
        return tally
    wanted = scenario.result(whole)
    folder = _fresh(scenario, root / "killed")
    while tally.kills < kills and len(tally.wrong) < 5:
        code, said = _run(scenario, folder, drawn.uniform(0.02, 1.1) * tally.seconds_unbroken)
        if code == -signal.SIGKILL:
            tally.kills += 1
            _check_what_is_left(scenario, folder, tally, said)
            continue
        _finish(scenario, folder, tally, code, said, wanted)
        shutil.rmtree(folder)
        _fresh(scenario, folder)
    # What is begun is brought to its end.
    code, said = _run(scenario, folder, None)
    _finish(scenario, folder, tally, code, said, wanted)
    if scenario.interval and tally.most_lost > scenario.interval:
        tally.wrong.append(f"{tally.most_lost} iterations were lost, at most one interval may be")
    return tally


def _finish(
    scenario: Scenario, folder: Path, tally: Tally, code: int, said: str, wanted: Mapping[str, Any]
) -> None:
    if code != 0:
        tally.wrong.append(f"a run after {tally.kills} kills left with {code}: {said[-2000:]}")
        return
    tally.runs_completed += 1
    left = [str(file.relative_to(folder)) for file in folder.rglob(LEFT_OVER)]
    if left:
        tally.wrong.append(f"left over after the end: {left}")
    try:
        found = scenario.result(folder)
    except Exception as error:
        tally.wrong.append(f"the end cannot be read: {type(error).__name__}: {error}")
        return
    if found != wanted:
        names = _difference(wanted, found)
        tally.wrong.append(f"another result after {tally.kills} kills: {names}")


def _check_what_is_left(scenario: Scenario, folder: Path, tally: Tally, said: str) -> None:
    try:
        tally.most_lost = max(tally.most_lost, scenario.lost(folder, said))
    except Exception as error:
        tally.wrong.append(f"broken after {tally.kills} kills: {type(error).__name__}: {error}")


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    names = sorted(wanted.keys() ^ found.keys())
    names += [name for name in sorted(wanted.keys() & found) if wanted[name] != found[name]]
    return ", ".join(map(str, names[:6]))


def _fresh(scenario: Scenario, folder: Path) -> Path:
    folder.mkdir(parents=True)
    scenario.prepare(folder)
    return folder


def _run(scenario: Scenario, folder: Path, moment: float | None) -> tuple[int, str]:
    """Run the command in a forked process group; kill it after ``moment`` seconds."""
    log = folder.parent / f"{folder.name}.log"
    log.touch()  # a child may be killed before it opens it
    child = os.fork()
    if child == 0:
        _child(scenario, folder, log)
    until = time.monotonic() + (300.0 if moment is None else moment)
    status = None
    while status is None and time.monotonic() < until:
        ended, how = os.waitpid(child, os.WNOHANG)
        status = how if ended else None
        time.sleep(0.002)
    if status is None:
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:  # it has not become a group yet
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), log.read_text(errors="replace")


def _child(scenario: Scenario, folder: Path, log: Path) -> None:  # pragma: no cover
    code = 1
    try:
        os.setsid()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout.reconfigure(line_buffering=True)  # what was said before a kill is counted
        os.chdir(folder)
        for name in ("HOME", "XDG_CACHE_HOME", "REALDEG_HOME"):
            os.environ[name] = str(folder / "home")
        from realdeg.cli.main import main as realdeg

        code = realdeg(list(scenario.words))
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
