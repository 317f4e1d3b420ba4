"""The data set of blur kernels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from realdeg.config import load_config
from realdeg.datasets import KernelSet, collate_kernels
from realdeg.degradations.pool import Pool
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.errors import ConfigError, DataError, GeometryError

FKP = {"type": "BlurDown", "kind": "FKP"}


def pool(count=5, size=9, scale=2, seed=0):
    kernels = torch.rand(count, size, size, generator=torch.Generator().manual_seed(seed)) + 0.01
    return Pool("kernels", kernels / kernels.sum((1, 2), keepdim=True), scale)


def test_drawn_kernels_depend_on_seed_and_place_only():
    data = KernelSet(degradation=FKP, scale=2, length=7)
    worker = pickle.loads(pickle.dumps(data))
    first = [data[(position, position % 7)] for position in range(9)]
    np.random.seed(1)  # noqa: NPY002 -- must have no effect
    torch.manual_seed(1)
    for position in reversed(range(9)):
        other = worker[(position, position % 7)]
        assert torch.equal(other["kernel"], first[position]["kernel"])
        assert other["seed"] == first[position]["seed"] and other["position"] == position
    # Positions 0 and 7 have the same index; a training draws a new kernel for each.
    assert not torch.equal(first[0]["kernel"], first[7]["kernel"])
    assert torch.equal(data[3]["kernel"], data[3]["kernel"]) and "position" not in data[3]
    others = (
        KernelSet(degradation=FKP, scale=2, length=7, seed=1),
        KernelSet(degradation=FKP, scale=2, length=7, split="val"),
    )
    for other in others:
        assert not torch.equal(other[3]["kernel"], data[3]["kernel"])


def test_drawn_kernels_are_those_of_the_degradation():
    data = KernelSet(degradation=FKP, scale=3, length=2)
    sample = data[1]
    trace = data.degradation.sample_one((3, 3, 3), sample["seed"])
    drawn = trace.params["kernel"]
    sides = np.sqrt([drawn["variance_x"], drawn["variance_y"]])
    wanted = gaussian_kernel(15, *map(float, sides), drawn["angle"], (-1.0, -1.0))
    assert sample["kernel"].dtype == torch.float32
    assert torch.allclose(sample["kernel"][0].double(), wanted, atol=1e-7)


def test_kernels_of_a_file_and_of_a_folder(tmp_path):
    pool().save(tmp_path / "a.safetensors")
    pool(3, seed=1).save(tmp_path / "b.safetensors")
    one = KernelSet("a.safetensors", scale=2, data_root=tmp_path)
    both = KernelSet(tmp_path, scale=2)
    assert (len(one), len(both), both.kernel_size) == (5, 8, 9)
    assert len(set(both.keys)) == 8 and "8 kernels of 9 x 9" in both.summary()
    assert torch.equal(both[6]["kernel"][0], pool(3, seed=1).items[1])
    assert torch.equal(one[(11, 2)]["kernel"][0], pool().items[2])
    batch = collate_kernels([both[(4, 1)], both[(5, 7)]])
    assert batch["kernel"].shape == (2, 1, 9, 9) and batch["position"] == 4
    assert batch["key"] == [both.keys[1], both.keys[7]] and len(set(batch["seeds"])) == 2


def test_smaller_kernels_get_a_border_of_zeros(tmp_path):
    pool().save(tmp_path / "a.safetensors")
    data = KernelSet(tmp_path / "a.safetensors", kernel_size=13, scale=2)
    kernel = data[0]["kernel"][0]
    assert kernel.shape == (13, 13) and torch.equal(kernel[2:-2, 2:-2], pool().items[0])
    assert float(kernel.sum()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({}, ConfigError, "either"),
        ({"pool": "a.safetensors", "degradation": FKP}, ConfigError, "either"),
        ({"degradation": "Bicubic"}, ConfigError, "Bicubic draws no blur kernel"),
        ({"pool": "missing.safetensors"}, DataError, "no pool at"),
        ({"pool": "empty"}, DataError, "no pool file"),
        ({"pool": "a.safetensors", "kernel_size": 7}, GeometryError, "kernel_size=9"),
        ({"degradation": FKP, "kernel_size": 7}, GeometryError, "kernel_size=11"),
        ({"pool": "a.safetensors", "scale": 4}, GeometryError, "scale 2"),
        ({"pool": "a.safetensors", "same_size": True}, GeometryError, "same_size=False"),
        ({"degradation": FKP, "kernel_size": 99}, ConfigError, "kernel_size"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match, tmp_path):
    pool().save(tmp_path / "a.safetensors")
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=match):
        KernelSet(**{"scale": 2, "data_root": tmp_path, **arguments})


def test_an_index_beyond_the_end():
    with pytest.raises(IndexError, match="2 kernels"):
        KernelSet(degradation=FKP, scale=2, length=2)[2]


def test_another_degradation_may_draw_the_kernels():
    place = "train_dataloader.dataset.degradation.type"
    cfg = load_config("fkp/fkp_gaussians_x2_cpu", {place: "KernelPool"})
    assert cfg.train_dataloader.dataset.degradation == {"type": "KernelPool"}
