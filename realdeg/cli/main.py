"""The ``realdeg`` command: one parser, one place where errors end."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from realdeg.errors import ConfigError, RealdegError, first_line, nearest
from realdeg.utils.allocator import keep_freed_memory
from realdeg.utils.memory import is_out_of_memory
from realdeg.utils.processes import rank
from realdeg.utils.text import printable
from realdeg.version import __version__

COMMANDS = {
    "train": "train a degradation or a super-resolution network from a config",
    "test": "measure a model and write a report with its protocol",
    "degrade": "apply a degradation to a folder of HR images",
    "infer": "super-resolve images",
    "browse": "look at what a recipe feeds its network",
    "preview": "look at what a degradation does to an image",
    "compare_degradations": "compare several degradations with a real camera",
    "extract_pools": "collect blur kernels and noise patches from real photos",
    "convert_weights": "turn anybody's weights into a file that describes itself",
    "export": "write a network for other programs, with a model card",
    "list": "list configs, registered components and published weights",
    "demo": "the whole way on built-in pictures, in minutes",
}
# 'list' and 'test' would shadow a builtin's and a test runner's name as modules.
_MODULES = {"list": "listing"}
# Wherever a disk turns out to be full, it is nothing that we can mend.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# What is wrong with a path that somebody gave.
_PATHS = (
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
    *(errno.EACCES, errno.EPERM, errno.ENOENT),
)


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of ``realdeg``.

    Args:
        command: The command that will run: only its module is imported, so that help and
            mistakes are answered fast. None leaves every command without options.

    Returns:
        The parser.
    """
    parser = argparse.ArgumentParser(
        prog="realdeg",
        description="Learn how a camera degrades images, and train super-resolution on it.",
    )
    parser.add_argument("--version", action="version", version=f"realdeg {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        # Without options the command's own --help would be a lie; it is parsed by the one that
        # carries them.
        chosen = name == command
        sub = commands.add_parser(name, help=text, description=text, add_help=chosen)
        if chosen:
            _module(name).add_arguments(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``realdeg`` command.

    Args:
        argv: The words after ``realdeg``; None takes the process's.

    Returns:
        The exit code: 0, 1 after a bug of ours, 2 after a mistake that the user can mend, 130
        after an interrupt.
    """
    if argv is None:
        keep_freed_memory()
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if word in COMMANDS), None)
    args = None
    try:
        _check_command(words)
        args = build_parser(command).parse_args(words)
        with _notes_to_stderr():
            return int(_module(args.command).run(args))
    except RealdegError as error:
        if _speaks():
            print(f"error: {error}", file=sys.stderr)
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
            f"error: cannot write {where}: {error.strerror}. What was saved before is kept; free"
            " some space or choose another place.",
            file=sys.stderr,
        )
        return 2
    except Exception as error:
        if is_out_of_memory(error):
            return _short_of_memory(error)
        traceback.print_exc()
        return 1


def _short_of_memory(error: BaseException) -> int:
    print(
        f"error: memory ran out ({first_line(error)}): take smaller images, batches or tiles, fewer"
        " workers, or another machine. What was saved before is kept.",
        file=sys.stderr,
    )
    return 2


def _check_command(words: Sequence[str]) -> None:
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        raise ConfigError(
            f"there is no command '{words[0]}'.{nearest(words[0], list(COMMANDS))}"
            " `realdeg --help` lists them."
        )


def _speaks() -> bool:
    """Whether this process tells an error: before processes meet, all of them have the same."""
    if rank() == 0 or "torch" not in sys.modules:
        return rank() == 0
    from torch import distributed

    return distributed.is_available() and distributed.is_initialized()


def run_tool(command: str) -> None:
    """Run one command as ``tools/<command>.py`` does, and leave with its exit code."""
    keep_freed_memory()
    sys.exit(main([command, *sys.argv[1:]]))


def _module(command: str) -> ModuleType:
    return import_module(f"realdeg.cli.{_MODULES.get(command, command)}")


class _Printable(logging.Formatter):
    """Escapes what a terminal would take for a command: names of files may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextmanager
def _notes_to_stderr() -> Iterator[None]:
    """Show realdeg's own notes (dropped keys, what --sample changed), on one process only."""
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
