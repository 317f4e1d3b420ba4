"""Errors of the page's actions, as one sentence in the page."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr

from realdeg.errors import RealdegError, first_line
from realdeg.utils.memory import is_out_of_memory

logger = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])


def guarded(function: F) -> F:
    """Have a function's errors shown as one sentence in the page.

    Args:
        function: An action of the page.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except RealdegError as error:
            sentence = str(error)
        except Exception as error:
            sentence = f"memory ran out ({first_line(error)}): take a smaller image."
            if not is_out_of_memory(error):
                logger.exception("an action of the studio failed")
                sentence = (
                    f"this should not happen ({type(error).__name__}: {first_line(error)}); the"
                    " terminal of the studio shows where."
                )
        raise gr.Error(html.escape(sentence, quote=False), duration=None, print_exception=False)

    return wrapped  # type: ignore[return-value]
