"""What the console shows: little, and in plain words. The log file keeps everything."""

from __future__ import annotations

import logging
from typing import Any

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


def quieten(logger: logging.Logger) -> ConsoleFilter:
    """Make a runner's logger quiet on the console.

    Args:
        logger: The runner's logger; its file handlers are left alone.

    Returns:
        The filter; set ``quiet = False`` once training begins.
    """
    console = ConsoleFilter()
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(
            handler, logging.FileHandler
        ):
            handler.setFormatter(ConsoleFormatter())
            handler.addFilter(console)
    return console


def say(logger: logging.Logger, message: str, *args: Any) -> None:
    """Log a message that the console shows at any time.

    Args:
        logger: The runner's logger.
        message: A message, with ``%`` places for ``args``.
        *args: What fills them.
    """
    logger.info(message, *args, extra={"console": True})
