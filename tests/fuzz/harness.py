"""Run one case after another, each in a process of its own that is watched from inside and outside.

The parent imports everything once and computes nothing, so a case costs a fork instead of the
seconds that torch takes to start. The child keeps an audit hook: what a file must never cause
(a process, a foreign import, a file outside its folder, a connection) is recorded when it happens,
whoever does it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import pkgutil
import platform
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

CANARY = "realdeg_fuzz_canary"
"""A module that lies on the import path of every case. A file that gets it imported or called has
got its own code run: ``f"{CANARY}.boom"`` is the callable to name in hostile files."""

SECONDS = 30.0
MEMORY = 1.5e9
# What may be written besides the case's folder.
_DEVICES = ("/dev/null", "/dev/tty", "/dev/shm")
_CONNECTS = ("socket.connect", "socket.bind")
_FORBIDDEN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
    "socket.connect",
    "socket.bind",
    "webbrowser.open",
    "code.__new__",
)
# Libraries of ours that commands import late.
_LATE = (
    "mmengine.runner",
    "mmengine.visualization",
    "mmcv",
    "torch._dynamo",
    "scipy.io",
    "scipy.signal",
    "scipy.optimize",
    "skimage",
    "lpips",
    "torch._dynamo",
    "onnx",
    "onnxruntime",
    "networkx",
    "hypothesis",
    "safetensors.torch",
    "filelock",
    "yaml",
    "PIL.Image",
    "PIL.ImageCms",
    "tifffile",
    "matplotlib.pyplot",
)
_WRITES = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.mkdir": (0,),
    "os.symlink": (1,),
    "os.link": (1,),
    "os.truncate": (0,),
    "os.chmod": (0,),
    "shutil.rmtree": (0,),
}


@dataclass(frozen=True)
class Case:
    """One input and what is done with it.

    Args:
        name: What it is, for the report: short, and enough to make it again.
        words: The words after ``realdeg``; relative paths are below the case's folder.
        call: Instead of a command, a function that is given the case's folder.
        prepare: Writes the input into the case's folder; runs in the parent, unwatched.
    """

    name: str
    words: tuple[str, ...] = ()
    call: Callable[[Path], object] | None = field(default=None, repr=False)
    prepare: Callable[[Path], None] | None = field(default=None, repr=False)


@dataclass
class Outcome:
    """What a case came to: ``done``, ``refused`` (one sentence), or one of the faults.

    The faults are ``crashed`` (a bare traceback, a signal), ``unclear`` (refused without one
    sentence), ``hung``, ``memory`` and ``ran`` (something that a file must never cause).
    """

    name: str
    kind: str
    seconds: float
    memory: float
    said: str

    @property
    def good(self) -> bool:
        """Whether this is how a case may end."""
        return self.kind in ("done", "refused")


def warm_up() -> None:
    """Import all that a command may import, once, in the parent."""
    import torch

    torch.set_num_threads(1)
    import realdeg

    for module in pkgutil.walk_packages(realdeg.__path__, "realdeg."):
        if ".triton" in module.name or module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            # The page of the extra [studio], which brings Gradio.
            if error.name != "gradio" or not module.name.startswith("realdeg.studio."):
                raise
    from realdeg.registry import BACKBONES, DATASETS, DEGRADATIONS, HOOKS, LOSSES, METRICS, TASKS

    for registry in (BACKBONES, DATASETS, DEGRADATIONS, HOOKS, LOSSES, METRICS, TASKS):
        registry.names()
    # What is imported, or asked of the system, when it is first used.
    for name in _LATE:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    platform.uname().processor  # noqa: B018 - it starts `uname` once and remembers the answer


def run_all(
    cases: Iterable[Case],
    *,
    seconds: float = SECONDS,
    memory: float = MEMORY,
    keep: Path | None = None,
) -> Iterator[Outcome]:
    """Run cases one after another.

    Args:
        cases: The cases.
        seconds: The longest that one may take.
        memory: The most bytes that one may add to what the parent holds.
        keep: Where the folders of cases that went wrong are kept; None keeps none.
    """
    warm_up()
    base = _peak_of_nothing()
    with tempfile.TemporaryDirectory(prefix="realdeg-fuzz-") as root:
        for number, case in enumerate(cases):
            place = Path(root) / str(number)
            outcome = run_one(case, place, seconds=seconds, memory=memory, base=base)
            if keep is not None and not outcome.good:
                keep.mkdir(parents=True, exist_ok=True)
                kept = keep / f"{number:05d}"
                shutil.rmtree(kept, ignore_errors=True)
                with contextlib.suppress(OSError, shutil.Error):
                    shutil.copytree(place / "case", kept, symlinks=True)
                    (kept / "OUTCOME").write_text(f"{case}\n{outcome.kind}\n{outcome.said}\n")
            yield outcome
            shutil.rmtree(place, ignore_errors=True)


def run_one(case: Case, place: Path, *, seconds: float, memory: float, base: float) -> Outcome:
    """Run one case in a forked process.

    Args:
        case: The case.
        place: A folder that does not exist yet. The case sees ``case/`` as its current folder;
            ``outside/`` beside it must stay as it is.
        seconds: The longest that it may take.
        memory: The most bytes that it may add to ``base``.
        base: The peak of a child that does nothing, in bytes.
    """
    folder, outside = place / "case", place / "outside"
    for made in (folder, outside, place / "tmp", place / "home", place / "path"):
        made.mkdir(parents=True)
    (outside / "sentinel").write_text("this file must stay as it is\n")
    (place / "path" / f"{CANARY}.py").write_text(
        "def boom(*args, **kwargs):\n    raise SystemExit('the canary was called')\n"
    )
    if case.prepare is not None:
        case.prepare(folder)
    before = _contents(outside)
    log, pipe = place / "log", os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(pipe[0])
        _child(case, place, folder, log, pipe[1], memory)
    os.close(pipe[1])
    report = _read(pipe[0], started + seconds)
    if report is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # whatever it left running
    took = time.monotonic() - started
    peak = max(0.0, usage.ru_maxrss * 1024 - base)
    said = log.read_text(errors="replace") if log.is_file() else ""
    kind, why = _judge(report, status, said, peak, memory)
    if _contents(outside) != before:
        kind, why = "ran", "something outside of the case's folder was changed"
    return Outcome(case.name, kind, took, peak, f"{why}\n{said[-4000:]}".strip())


def _judge(
    report: dict[str, Any] | None, status: int, said: str, peak: float, memory: float
) -> tuple[str, str]:
    if report and report["events"]:
        return "ran", "; ".join(report["events"][:5])
    if report is None:
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL:
            return "crashed", f"signal {os.WTERMSIG(status)}"
        if os.WIFEXITED(status):
            return "crashed", f"left with {os.WEXITSTATUS(status)} without a word"
        return "hung", "it did not end in time"
    if peak > memory:
        return "memory", f"{peak / 1e6:.0f} MB"
    code = report["code"]
    if "Traceback (most recent call last)" in said or code not in (0, 2, 3, 130):
        return "crashed", f"exit code {code}"
    if code == 0:
        return "done", ""
    errors = [line for line in said.splitlines() if "error: " in line]
    if len(errors) != 1:
        return "unclear", f"exit code {code} with {len(errors)} lines of error"
    return "refused", errors[0]


def _child(
    case: Case, place: Path, folder: Path, log: Path, pipe: int, memory: float
) -> None:  # pragma: no cover - it ends in os._exit
    code, events = 1, []
    try:
        os.setsid()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(folder)
        for name in ("HOME", "XDG_CACHE_HOME", "REALDEG_HOME"):
            os.environ[name] = str(place / "home")
        os.environ["TMPDIR"], tempfile.tempdir = str(place / "tmp"), None
        os.environ["REALDEG_OFFLINE"] = "1"
        sys.path.insert(0, str(place / "path"))
        sys.argv = ["realdeg", *case.words]
        # Far above the measured limit, so that a bomb ends itself and not the machine.
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + int(4 * memory), resource.RLIM_INFINITY))
        events = _watch(place)
        code = _run(case, folder)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(pipe, json.dumps({"code": code, "events": list(events)[:20]}).encode())
        os._exit(0)


def _run(case: Case, folder: Path) -> int:
    from realdeg.errors import RealdegError

    if case.call is not None:
        try:
            case.call(folder)
        except RealdegError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        return 0
    from realdeg.cli.main import main

    try:
        return main(list(case.words))
    except SystemExit as leaving:  # argparse
        return leaving.code if isinstance(leaving.code, int) else 1


def _watch(place: Path) -> list[str]:
    """Record what no file may cause, from here to the end of the process."""
    events: list[str] = []
    packages = {name.split(".")[0] for name in sys.modules} | set(sys.stdlib_module_names)
    roots = (f"{place}{os.sep}", f"{os.path.realpath(place)}{os.sep}")

    def outside(path: object) -> bool:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str):
            return False
        full = os.path.realpath(path)
        return not f"{full}{os.sep}".startswith(roots) and not full.startswith(_DEVICES)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _CONNECTS and isinstance(args[1], str) and not outside(args[1]):
            return  # how worker processes of ours hand their results over
        if event in _FORBIDDEN:
            events.append(f"{event} {str(args)[:200]}")
        elif event == "open":
            path, mode, flags = args
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if (writes or (isinstance(mode, str) and set(mode) & set("wax+"))) and outside(path):
                events.append(f"open for writing {path}")
        elif event in _WRITES:
            events.extend(f"{event} {args[i]}" for i in _WRITES[event] if outside(args[i]))

    sys.addaudithook(hook)
    sys.meta_path.insert(0, _Finder(packages, events))
    return events


class _Finder:
    """Sees every import, those of importlib included, which no audit event tells of."""

    def __init__(self, packages: set[str], events: list[str]) -> None:
        self.packages, self.events = packages, events

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        package = name.split(".")[0]
        if package not in self.packages and PathFinder.find_spec(package) is not None:
            self.events.append(f"import of {name}")


def _read(descriptor: int, until: float) -> dict[str, Any] | None:
    """Read the child's report; None if it ends without one or time runs out."""
    content = b""
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while True:
            ready, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            more = stream.read(65536)
            if not more:
                return json.loads(content) if content else None
            content += more


def _contents(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _peak_of_nothing() -> float:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return float(os.wait4(child, 0)[2].ru_maxrss * 1024)
