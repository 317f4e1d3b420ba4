"""Prepare the next batch while the current step runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch


def prefetched(
    batches: Iterator[Any], prepare: Callable[[Any], Any], device: torch.device
) -> Iterator[Any]:
    """Yield prepared batches, each prepared in a thread while the one before is in use.

    On a GPU the thread uses its own stream, so that its kernels fill the gaps of the step; the
    consumer's stream waits for them. Order and content are those of ``map(prepare, batches)``, and
    an error is raised when its batch is due.

    Args:
        batches: The batches of the data loader.
        prepare: Moves a batch to the device and completes it.
        device: The training device.
    """
    make_stream: Any = torch.cuda.Stream  # not typed by torch
    stream = make_stream(device) if device.type == "cuda" else None
    ended = object()

    def work() -> Any:
        batch = next(batches, ended)
        if batch is ended:
            return ended
        if stream is None:
            return prepare(batch)
        with torch.cuda.stream(stream):
            return prepare(batch)

    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        future: Future[Any] = pool.submit(work)
        while True:
            prepared = future.result()
            if prepared is ended:
                return
            if stream is not None:
                consumer = torch.cuda.current_stream(device)
                consumer.wait_stream(stream)
                _keep_alive(prepared, consumer)
            future = pool.submit(work)
            yield prepared


def _keep_alive(batch: Any, stream: torch.cuda.Stream) -> None:
    """Tell the allocator that another stream reads tensors of the prefetcher's stream."""
    if isinstance(batch, torch.Tensor) and batch.is_cuda:
        batch.record_stream(stream)
    elif isinstance(batch, dict):
        for value in batch.values():
            _keep_alive(value, stream)
    elif isinstance(batch, list | tuple):
        for value in batch:
            _keep_alive(value, stream)
