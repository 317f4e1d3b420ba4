"""Measure the code: size, types, hand-written checks, repetitions, call depth, start-up time.

    python benchmarks/house.py .                    one checkout
    python benchmarks/house.py ../before . --json docs/results/house.json    two, side by side

Times are user CPU seconds, the shortest of several alternating runs, so that two checkouts can be
compared on a busy machine. Each checkout's own ``.venv`` is used if there is one.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from realdeg.utils.tables import markdown_table

RUN = 6
"""Number of consecutive equal lines that count as a repetition."""
COMPONENTS = ("degradations", "backbones", "discriminators", "losses", "datasets", "evaluation")
REFUSALS = ("ConfigError", "GeometryError")


def sources(root: Path, folder: str) -> list[Path]:
    """Return the Python files in a folder of a checkout."""
    return sorted(file for file in (root / folder).rglob("*.py"))


def lines_of(files: list[Path]) -> int:
    """Count all lines."""
    return sum(len(file.read_text().splitlines()) for file in files)


def any_count(files: list[Path]) -> int:
    """Count uses of ``Any`` other than imports."""
    return sum(
        isinstance(node, ast.Name) and node.id == "Any"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
    )


def hand_checks(root: Path) -> int:
    """Count errors raised in constructors and ``check`` functions of component packages."""
    found = 0
    for package in (*COMPONENTS, "tasks"):
        for file in sources(root / "realdeg", package):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef) and (
                    node.name == "__init__" or node.name.lstrip("_").startswith("check")
                ):
                    found += sum(_refuses(inner) for inner in ast.walk(node))
    return found


def _refuses(node: ast.AST) -> bool:
    call = node.exc if isinstance(node, ast.Raise) else None
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") in REFUSALS


def repeated_lines(files: list[Path]) -> int:
    """Count the lines in runs of ``RUN`` code lines that occur more than once."""
    runs: Counter[tuple[str, ...]] = Counter()
    texts = {file: list(_code(file)) for file in files}
    for lines in texts.values():
        runs.update(tuple(lines[i : i + RUN]) for i in range(len(lines) - RUN + 1))
    found = 0
    for lines in texts.values():
        repeated = set()
        for i in range(len(lines) - RUN + 1):
            if runs[tuple(lines[i : i + RUN])] > 1:
                repeated.update(range(i, i + RUN))
        found += len(repeated)
    return found


def _code(file: Path) -> Iterator[str]:
    """Yield the code lines of a file, without comments, blank lines, imports and docstrings."""
    text = file.read_text()
    tree = ast.parse(text)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        prose = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if prose or isinstance(node, ast.Import | ast.ImportFrom):
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if number not in skipped and stripped and not stripped.startswith("#"):
            yield stripped


DEPTH = """
import inspect, sys, contextlib, io
from realdeg.cli.main import main
from realdeg.degradations import DML
found = {}
targets = {inspect.unwrap(getattr(DML, name)).__code__: name for name in ("__init__", "generate")}
def watch(frame, event, argument):
    name = targets.get(frame.f_code) if event == "call" else None
    if name and name not in found:
        found[name] = [item.function for item in inspect.stack(0)].index("main") - 1
folder, images = sys.argv[1:]
quick = ["degradation.width=4", "degradation.levels=1", "train_cfg.max_iters=1",
         "default_hooks.checkpoint.interval=1"]
train = ["train", "dml/dml_n8_realsr_x4", "--sample", "--work-dir", folder, "--device", "cpu",
         "--cfg-options", *quick]
sys.setprofile(watch)
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    assert main(train) == 0
    found.pop("generate", None)
    assert main(["degrade", folder, images, folder + "/lr", "--jobs", "1"]) == 0
print(found["__init__"], found["generate"])
"""


def python_of(root: Path) -> str:
    """Return the Python of a checkout."""
    own = root / ".venv" / "bin" / "python"
    return str(own) if own.is_file() else sys.executable


def run(root: Path, *arguments: str) -> tuple[str, float]:
    """Run Python in a checkout; return its output and its user CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python_of(root), *arguments], cwd=root, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)[:80]} failed in {root}:\n{done.stderr[-3000:]}")
    return done.stdout, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def depth(root: Path) -> tuple[int, int]:
    """Return the call depth from ``main`` to DML's constructor and to its computation."""
    with tempfile.TemporaryDirectory() as folder:
        images = root / "realdeg" / "datasets" / "sample_images" / "test"
        output, _ = run(root, "-c", DEPTH, f"{folder}/run", str(images))
    first, second = output.split()[-2:]
    return int(first), int(second)


def static(root: Path) -> dict[str, int]:
    """Return the measurements that do not depend on the machine."""
    package, configs = sources(root, "realdeg"), sources(root, "configs")
    constructor, computation = depth(root)
    return {
        "package files": len(package),
        "package lines": lines_of(package),
        "Any": any_count(package),
        "refusals by hand in constructors and checkers": hand_checks(root),
        f"lines in repeated runs of {RUN}, package": repeated_lines(package),
        "config files": len(configs),
        "config lines": lines_of(configs),
        f"lines in repeated runs of {RUN}, configs": repeated_lines(configs),
        "calls from main to DML.__init__ (train)": constructor,
        "calls from main to DML.generate (degrade)": computation,
    }


def _import(root: Path) -> float:
    return run(root, "-c", "import realdeg")[1]


def _help(root: Path) -> float:
    return run(root, "-m", "realdeg", "--help")[1]


def _first_iteration(root: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        options = ("train_cfg.max_iters=1", "val_cfg=None", "val_dataloader=None")
        command = ("train", "dml/dml_n8_realsr_x4", "--sample", "--device", "cpu", "--work-dir")
        more = ("val_evaluator=None",)
        return run(root, "-m", "realdeg", *command, folder, "--cfg-options", *options, *more)[1]


TIMES: dict[str, tuple[Callable[[Path], float], int]] = {
    "import realdeg, CPU s": (_import, 7),
    "realdeg --help, CPU s": (_help, 7),
    "start to the end of a run of one iteration, CPU s": (_first_iteration, 5),
}


def main() -> None:
    """Print a table, and write it if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    args = parser.parse_args()
    roots = [path.resolve() for path in args.checkouts]
    table: dict[str, list[float]] = {}
    for root in roots:
        for name, value in static(root).items():
            table.setdefault(name, []).append(value)
    for name, (measure, times) in TIMES.items():
        runs = [[measure(root) for root in roots] for _ in range(times)]
        table[name] = [round(min(column), 3) for column in zip(*runs, strict=True)]
    rows = [[name, *(f"{value:,}" for value in values)] for name, values in table.items()]
    print("\n".join(markdown_table(["", *(root.name for root in roots)], rows)))
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
