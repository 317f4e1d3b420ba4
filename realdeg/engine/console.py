"""What the console shows: little, and in plain words. The log file keeps everything."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from mmengine.logging.logger import FilterDuplicateWarning

# mmengine's six warnings that realdeg has no child of the optimiser and other registries.
_NOISE = "Failed to search registry with scope"


class ConsoleFilter(logging.Filter):
    """Until training begins, let only warnings and what was marked for the console pass."""

    def __init__(self) -> None:
        super().__init__()
        self.quiet = True

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide on one record."""
        if record.levelno >= logging.WARNING:
            return not str(record.msg).startswith(_NOISE)
        return bool(getattr(record, "console", not self.quiet))


class OnceEach(logging.Filter):
    """Let each warning pass once, by what it says.

    mmengine's own filter goes by the format, so a second file or data set with the same fault is
    never heard of.
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
    """Make a runner's logger quiet on the console.

    Args:
        logger: The runner's logger; its file handlers get every message.

    Returns:
        The filter; set ``quiet = False`` once training begins.
    """
    console = ConsoleFilter()
    for handler in logger.handlers:
        for filter_ in list(handler.filters):
            if isinstance(filter_, FilterDuplicateWarning):
                handler.removeFilter(filter_)
                handler.addFilter(OnceEach())
        if isinstance(handler, logging.FileHandler):
            # Otherwise logging prints a traceback for every line that a full disk refuses.
            handler.handleError = partial(_leave_out, logger, handler)  # type: ignore[method-assign]
        elif isinstance(handler, logging.StreamHandler):
            handler.setFormatter(ConsoleFormatter())
            handler.addFilter(console)
    return console


def _leave_out(
    logger: logging.Logger, handler: logging.FileHandler, record: logging.LogRecord
) -> None:
    """Go on without a log file that cannot be written; what must be written will say so itself."""
    error = sys.exc_info()[1]
    logger.removeHandler(handler)
    with suppress(OSError):
        handler.close()
    logger.warning("the log file %s ends here: %s", handler.baseFilename, error)


def say(logger: logging.Logger, message: str, *args: Any) -> None:
    """Log a message that the console shows at any time.

    Args:
        logger: The runner's logger.
        message: A message, with ``%`` places for ``args``.
        *args: What fills them.
    """
    logger.info(message, *args, extra={"console": True})
