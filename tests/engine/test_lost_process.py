"""Which errors only say that another process of the run is gone."""

from __future__ import annotations

import pytest

from realdeg.engine.lost_process import _is_of_another


@pytest.mark.parametrize(
    "said",
    [
        "[../third_party/gloo/pair.cc:534] Connection closed by peer [10.0.0.2]:41234",
        "Timed out waiting 1800000ms for recv operation to complete",
        "Broken pipe",
        "[Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7)",
    ],
)
def test_lost_connections_are_of_another(said):
    assert _is_of_another(RuntimeError(said))
    assert not _is_of_another(ValueError(said))


@pytest.mark.parametrize(
    "said",
    [
        "DataLoader timed out after 30 seconds",
        "CUDA error: the launch timed out and was terminated",
        "The size of tensor a (3) must match the size of tensor b (4)",
    ],
)
def test_what_fails_here_is_not(said):
    assert not _is_of_another(RuntimeError(said))
