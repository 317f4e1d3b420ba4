"""Run ``make test`` for the ends of what setup.cfg allows, with the Pythons that are installed.

Each combination gets an environment of its own, ``.venv-3.10-oldest`` and so on (one to two
gigabytes with a CPU build of torch), and is made and tested by the Makefile. What cannot be run is
skipped, and the summary says why; a combination that fails does not stop the others.

    python .ci/matrix.py          # or: make matrix
    python .ci/matrix.py --plan   # only say what would be run
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PYTHONS = ("3.10", "3.13")
TORCHES = ("oldest", "newest")
ROOT = Path(__file__).resolve().parents[1]


def find_python(version: str) -> str | None:
    """Return a working interpreter of a version: one on PATH, or one that pyenv keeps."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept = sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)
    for candidate in (shutil.which(f"python{version}"), *map(str, kept)):
        if candidate is None:
            continue
        code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
        # pyenv's shims are on PATH for versions that are not chosen, too, and fail.
        answer = subprocess.run(
            [candidate, "-c", code], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return candidate
    return None


def choose_torch(python: str, which: str) -> str:
    """Return the requirement that ``.ci/choose_torch.py`` prints under an interpreter."""
    command = [python, str(ROOT / ".ci" / "choose_torch.py"), which]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def offered(python: str, requirement: str) -> bool:
    """Say whether pip finds a requirement for an interpreter, without installing it."""
    command = [python, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps"]
    target = ["--ignore-installed", requirement]
    return subprocess.run([*command, *target], capture_output=True, check=False).returncode == 0


def main(plan: bool) -> int:
    """Run or plan every combination; return 1 if one failed, 0 otherwise."""
    told = []
    for version in PYTHONS:
        python = find_python(version)
        for which in TORCHES:
            name = f"Python {version}, {which} torch"
            if python is None:
                told.append((name, f"skipped: there is no python{version}"))
                continue
            torch = choose_torch(python, which)
            if not offered(python, torch):
                told.append((name, f"skipped: pip finds no {torch} for it"))
                continue
            variables = [f"PYTHON={python}", f"TORCH={torch}", f"VENV=.venv-{version}-{which}"]
            command = ["make", "--no-print-directory", "test", *variables]
            print(name + ": " + " ".join(command), flush=True)
            if plan:
                told.append((name, f"would be run with {torch}"))
                continue
            done = subprocess.run(command, cwd=ROOT, check=False)
            told.append((name, f"{'passed' if done.returncode == 0 else 'FAILED'} with {torch}"))
    for name, outcome in told:
        print(f"{name}: {outcome}")
    return int(any("FAILED" in outcome for _, outcome in told))


if __name__ == "__main__":
    sys.exit(main(plan="--plan" in sys.argv[1:]))
