"""What every registered degradation promises; a new one is tested by being registered."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from realdeg import create_degradation
from realdeg.registry import DEGRADATIONS
from realdeg.testing import DegradationContract
from realdeg.testing.degradations import SEEDS, hr_batch
from tests.degradations.conftest import DISPLACED, SMALL, all_names, small_config


class TestEveryDegradation(DegradationContract):
    @pytest.fixture(params=all_names(), autouse=True)
    def each(self, request):
        name = request.param
        self.component, self.arguments = DEGRADATIONS.get(name), SMALL.get(name, {})
        self.displaced = name in DISPLACED
        if name == "BlurDown" and "offset" in request.node.name:
            # Rounding to 8 bit moves a shallow ramp by a few hundredths of a pixel.
            self.arguments = {"rounding": "none"}


def test_replay_in_another_process_is_equal_to_the_bit(tmp_path):
    """One process writes, another reads and replays: same build, same thread count."""
    degradation = create_degradation(small_config("Compose"), 2, False).eval()
    path = tmp_path / "d.safetensors"
    degradation.save(path)
    degradation = create_degradation(str(path))
    hr = hr_batch()
    threads = torch.get_num_threads()
    lr = degradation(hr, SEEDS)
    record = [trace.to_json() for trace in degradation.sample(hr, SEEDS)]
    (tmp_path / "traces.json").write_text(json.dumps(record))
    program = (
        "import json, sys, torch\n"
        "from realdeg import create_degradation\nfrom realdeg.degradations import Trace\n"
        "torch.set_num_threads(int(sys.argv[2]))\n"
        "hr = torch.rand(2, 3, 48, 36, generator=torch.Generator().manual_seed(3))\n"
        "traces = [Trace.from_json(t) for t in json.load(open(sys.argv[1] + '/traces.json'))]\n"
        "lr = create_degradation(sys.argv[1] + '/d.safetensors').replay(hr, traces)\n"
        "torch.save(lr, sys.argv[1] + '/lr.pt')\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(threads)], check=True)
    assert torch.equal(lr, torch.load(tmp_path / "lr.pt", weights_only=True))


def test_apply_is_the_modules_and_the_former_name_of_replay():
    degradation, hr = create_degradation("Bicubic", scale=4), hr_batch()
    seen = []
    assert degradation.apply(seen.append) is degradation and seen == [degradation]
    traces = degradation.sample(hr, SEEDS)
    with pytest.warns(DeprecationWarning, match=r"use Degradation\.replay\(hr, traces\)"):
        lr = degradation.apply(hr, traces)
    assert torch.equal(lr, degradation.replay(hr, traces))
