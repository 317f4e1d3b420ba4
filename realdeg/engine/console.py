"""What the console shows: a short summary of what the log file holds in full."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from mmengine.logging.logger import FilterDuplicateWarning

# mmengine warns six times that realdeg has no child of its optimiser and other registries.
_NOISE = "Failed to search registry with scope"


class ConsoleFilter(logging.Filter):
    """Before training starts, passes only warnings and messages marked for the console."""

    def __init__(self) -> None:
        super().__init__()
        self.quiet = True

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide on one record."""
        if record.levelno >= logging.WARNING:
            return not str(record.msg).startswith(_NOISE)
        return bool(getattr(record, "console", not self.quiet))


class OnceEach(logging.Filter):
    """Passes each warning once, by its full text.

    mmengine's filter compares the format strings, which hides the warning for a second file.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide on one record."""
        if record.levelno != logging.WARNING:
            return True
        text = record.getMessage()
        new = text not in self.seen
        self.seen.add(text)
        return new


class ConsoleFormatter(logging.Formatter):
    """Time and message; the level only where it is a warning or worse."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s  %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        text = super().format(record)
        if record.levelno >= logging.WARNING:
            head, _, tail = text.partition("  ")
            return f"{head}  {record.levelname.lower()}: {tail}"
        return text


def filter_console(logger: logging.Logger) -> ConsoleFilter:
    """Make a runner's logger quiet on the console; its file handlers get every message.

    Returns:
        The filter. Set ``quiet = False`` once training starts.
    """
    console = ConsoleFilter()
    for handler in logger.handlers:
        for filter_ in list(handler.filters):
            if isinstance(filter_, FilterDuplicateWarning):
                handler.removeFilter(filter_)
                handler.addFilter(OnceEach())
        if isinstance(handler, logging.FileHandler):
            # Otherwise logging prints a traceback for every line on a full disk.
            handler.handleError = partial(_leave_out, logger, handler)  # type: ignore[method-assign]
        elif isinstance(handler, logging.StreamHandler):
            handler.setFormatter(ConsoleFormatter())
            handler.addFilter(console)
    return console


def _leave_out(
    logger: logging.Logger, handler: logging.FileHandler, record: logging.LogRecord
) -> None:
    """Continue without a log file that cannot be written; files that matter raise by themselves."""
    error = sys.exc_info()[1]
    logger.removeHandler(handler)
    with suppress(OSError):
        handler.close()
    logger.warning("the log file %s ends here: %s", handler.baseFilename, error)


def say(logger: logging.Logger, message: str, *args: Any) -> None:
    """Log a message (a ``%`` format and its arguments) that the console always shows."""
    logger.info(message, *args, extra={"console": True})
