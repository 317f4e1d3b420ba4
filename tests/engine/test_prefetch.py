"""Prepared ahead, in order, with errors where they are due."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from realdeg.engine.prefetch import prefetched

CPU = torch.device("cpu")


def test_order_and_content():
    assert list(prefetched(iter(range(7)), lambda n: n * n, CPU)) == [n * n for n in range(7)]
    assert list(prefetched(iter(()), lambda n: n, CPU)) == []


def test_the_next_one_is_prepared_while_one_is_used():
    prepared = []

    def prepare(number):
        prepared.append((number, threading.current_thread().name))
        return number

    batches = prefetched(iter(range(9)), prepare, CPU)
    assert next(batches) == 0
    deadline = time.monotonic() + 5
    while len(prepared) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    # One ahead, not more: memory holds two batches.
    assert [number for number, _ in prepared] == [0, 1]
    assert prepared[0][1].startswith("prefetch")
    batches.close()


def test_errors_come_when_their_batch_is_due():
    def prepare(number):
        if number == 2:
            raise ValueError("the third")
        return number

    batches = prefetched(iter(range(5)), prepare, CPU)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(batches)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_streams_meet():
    device = torch.device("cuda")
    base = [torch.full((1 << 22,), float(n)) for n in range(8)]

    def prepare(tensor):
        return {"lr": tensor.to(device, non_blocking=True).cumsum(0) * 0 + tensor[0].item()}

    for number, batch in enumerate(prefetched(iter(base), prepare, device)):
        assert (batch["lr"] == number).all()
