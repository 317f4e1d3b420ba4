"""Small trunks and files of weights for the tests of losses in features."""

import math
from pathlib import Path

import torch
from torch import nn

from realdeg.utils.trunks import TRUNKS


def small_trunk(dtype=torch.float64):
    """Two convolutions of 4 and 5 channels, each with a ReLU, and a pool between them."""
    generator = torch.Generator().manual_seed(3)
    trunk = nn.Sequential()
    for number, (into, out) in enumerate(((3, 4), (4, 5)), start=1):
        layer = nn.Conv2d(into, out, 3, padding=1, dtype=dtype)
        for values in (layer.weight, layer.bias):
            values.data = torch.randn(values.shape, generator=generator, dtype=dtype) / 3
        trunk.add_module(f"conv{number}", layer)
        trunk.add_module(f"relu{number}", nn.ReLU())
        if number == 1:
            trunk.add_module("pool1", nn.MaxPool2d(2, 2))
    return trunk


def vgg_state(name="vgg16", seed=0, naming="torchvision"):
    """Random weights of a VGG's convolutions, in half precision, by the names of a project."""
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        trunk = TRUNKS[name].empty()
    state = {}
    for index, (layer, module) in enumerate(trunk.named_children()):
        if isinstance(module, nn.Conv2d):
            prefix = f"features.{index}" if naming == "torchvision" else f"vgg_net.{layer}"
            shape = module.weight.shape
            weight = torch.randn(shape, generator=generator, dtype=torch.float32)
            state[f"{prefix}.weight"] = (weight / math.sqrt(4.5 * shape[1])).half()
            state[f"{prefix}.bias"] = torch.zeros(shape[0], dtype=torch.float16)
    if naming == "torchvision":
        state["classifier.0.weight"], state["classifier.0.bias"] = torch.zeros(5, 4), torch.zeros(5)
    return state


def vgg_file(folder: Path, name="vgg16", **options):
    """Write such weights and return the path."""
    path = folder / f"{name}.pth"
    torch.save(vgg_state(name, **options), path)
    return str(path)
