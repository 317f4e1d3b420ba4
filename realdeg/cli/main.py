"""The ``realdeg`` command: parses arguments, runs a command and reports its errors."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from realdeg.cli.inputs import CommandParser
from realdeg.errors import (
    ConfigError,
    LostProcessError,
    RealdegError,
    first_line,
    flags_in_messages,
    nearest,
)
from realdeg.utils.allocator import keep_freed_memory
from realdeg.utils.memory import is_out_of_memory
from realdeg.utils.processes import local_rank, rank
from realdeg.utils.text import printable
from realdeg.version import __version__

COMMANDS = {
    "doctor": "examine pairs and images before anything is trained on them",
    "train": "train a degradation or a super-resolution network from a config",
    "test": "evaluate a model and write a report with its protocol",
    "register": "make aligned pairs from photos at two focal lengths",
    "degrade": "apply a degradation to HR images",
    "infer": "super-resolve images",
    "browse": "draw the training samples of a recipe",
    "preview": "show what a degradation does to an image",
    "compare": "compare trained networks or degradations in one table",
    "sweep": "train a recipe with several seeds and settings, one run after the other",
    "reproduce": "run a table of a paper, and write it beside the published values",
    "compare_degradations": "compare several degradations with a real camera",
    "extract_pools": "collect blur kernels and noise patches from real photos",
    "estimate": "estimate blur and noise of photos",
    "make_test_set": "make a test set of known blur from HR images",
    "fit": "learn a camera from real pairs in a given time",
    "finetune": "adapt a trained network to a camera",
    "interpolate": "blend two networks of which one was fine-tuned from the other",
    "convert_weights": "convert published weights to a self-describing file",
    "export": "export a network for other programs, with a model card",
    "push": "publish a camera or network on the Hugging Face Hub",
    "report": "write one HTML page about runs",
    "list": "list configs, registered components, published weights and cameras",
    "completion": "print the completion of commands and options for a shell",
    "studio": "try out degradations, cameras and networks in a browser",
    "demo": "run the whole pipeline on built-in images, in minutes",
}
# A module called 'list' would shadow the builtin.
_MODULES = {"list": "listing"}
_REQUIRED = ("mmengine", "torch", "cv2", "numpy")
# A full disk can show up anywhere, and only the user can fix it.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# What can be wrong with a path that the user gave.
_PATHS = (
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
    *(errno.EACCES, errno.EPERM, errno.ENOENT),
)


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of ``realdeg``.

    Args:
        command: The command that will run. Only its module is imported, so that help and errors
            come fast. None leaves every command without options.
    """
    parser = argparse.ArgumentParser(
        prog="realdeg",
        description="Learn how a camera degrades images, and train super-resolution on it.",
    )
    parser.add_argument("--version", action="version", version=f"realdeg {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=CommandParser
    )
    for name, text in COMMANDS.items():
        # Without options the command's own --help would be wrong, so it has none.
        chosen = name == command
        sub = commands.add_parser(name, help=text, description=text, add_help=chosen)
        if chosen:
            _module(name).add_arguments(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``realdeg`` command.

    Args:
        argv: The arguments after ``realdeg``; None: those of the process.

    Returns:
        The exit code: 0, 1 after a bug in realdeg, 2 after an error that the user can fix, 130
        after an interrupt.
    """
    if argv is None and "_ARGCOMPLETE" in os.environ:
        from realdeg.cli.completion import complete

        complete(build_parser, COMMANDS)
    if argv is None:
        keep_freed_memory()
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((item for item in arguments if item in COMMANDS), None)
    args = None
    try:
        _check_command(arguments)
        args = build_parser(command).parse_args(arguments)
        with flags_in_messages(), _notes_to_stderr():
            return int(_module(args.command).run(args))
    except RealdegError as error:
        if _reports(error):
            print(f"error{_place()}: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `realdeg list | head`
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno in _PATHS and error.filename is not None:
            print(f"error: cannot use {error.filename!s:.200}: {error.strerror}.", file=sys.stderr)
            return 2
        if is_out_of_memory(error):
            return _short_of_memory(error)
        if error.errno not in _FULL:
            traceback.print_exc()
            return 1
        where = error.filename or getattr(args, "work_dir", None) or "the results"
        print(
            f"error: cannot write {where}: {error.strerror}. What was saved before is kept. Free"
            " some space or choose another location.",
            file=sys.stderr,
        )
        return 2
    except Exception as error:
        if is_out_of_memory(error):
            return _short_of_memory(error)
        absent = str(getattr(error, "name", "")).partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and absent in _REQUIRED:
            print(
                f"error: the package {absent} is not installed, and realdeg requires it:"
                " `pip install realdeg` installs what is missing.",
                file=sys.stderr,
            )
            return 2
        traceback.print_exc()
        return 1


def _short_of_memory(error: BaseException) -> int:
    print(
        f"error: memory ran out ({first_line(error)}): use smaller images, batches or tiles, fewer"
        " workers, or another machine. What was saved before is kept.",
        file=sys.stderr,
    )
    return 2


def _check_command(arguments: Sequence[str]) -> None:
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        raise ConfigError(
            f"there is no command '{arguments[0]}'.{nearest(arguments[0], list(COMMANDS))}"
            " `realdeg --help` lists them."
        )


def _reports(error: RealdegError) -> bool:
    """Whether this process prints an error: all have the same one until the processes connect.

    Other machines may have one of their own, such as missing data.
    """
    if rank() == 0:
        return True
    if isinstance(error, LostProcessError):
        return False
    if local_rank() == 0 or "torch" not in sys.modules:
        return local_rank() == 0
    from torch import distributed

    return distributed.is_available() and distributed.is_initialized()


def _place() -> str:
    """Return which process of several this is, but for the first."""
    return f" in process {rank()} on {socket.gethostname()}" if rank() else ""


def run_tool(command: str) -> None:
    """Run one command as ``tools/<command>.py`` does, and exit with its code."""
    keep_freed_memory()
    sys.exit(main([command, *sys.argv[1:]]))


def _module(command: str) -> ModuleType:
    return import_module(f"realdeg.cli.{_MODULES.get(command, command)}")


class _Printable(logging.Formatter):
    """Escapes terminal control characters, which file names may hold."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextmanager
def _notes_to_stderr() -> Iterator[None]:
    """Print realdeg's log messages on stderr, from the first process only."""
    logger = logging.getLogger("realdeg")
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(message)s"))
    level = logger.level
    logger.setLevel(logging.INFO if rank() == 0 else logging.ERROR)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
