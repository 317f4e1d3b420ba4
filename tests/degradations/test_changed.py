"""A degradation with other numbers equals one that was configured with them."""

import copy

import pytest
import torch

from realdeg.degradations.build import degradation_from_config
from realdeg.errors import ConfigError

HR = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
CASES = [
    ({"type": "AWGN"}, {"sigma": 30}),
    ({"type": "JPEG", "quality": [60, 90]}, {"quality.0": 31.6}),
    ({"type": "BSRGAN"}, {"jpeg_qualities": [10, 20], "jpeg_probability": 1.0}),
    ({"type": "NoisePool"}, {"strength": 3.0}),
    ({"type": "Compose", "parts": ["Bicubic", {"type": "AWGN", "sigma": 2}]}, {"parts.1.sigma": 9}),
    ({"type": "Maybe", "part": {"type": "SRMD"}, "otherwise": "Bicubic"}, {"probability": 0.9}),
    ({"type": "Maybe", "part": "AWGN", "probability": 1.0}, {"part.sigma": 40}),
    (
        {"type": "Repeat", "part": {"type": "AWGN", "scale": 1}, "times": [2, 2], "again": "JPEG"},
        {"again.quality": [5, 9]},
    ),
    ({"type": "OneOf", "parts": ["Bicubic", {"type": "AWGN", "sigma": 3}]}, {"parts.1.sigma": 70}),
]


def configured(cfg, numbers):
    """The same by its config, number by number."""
    built = copy.deepcopy(degradation_from_config(cfg).arguments)
    for path, value in numbers.items():
        *keys, last = path.split(".")
        inner = built
        for key in keys:
            inner = inner[int(key)] if key.isdigit() else inner[key]
        if last.isdigit():
            inner[int(last)] = round(value)
        else:
            inner[last] = value
    return built


@pytest.mark.parametrize(("cfg", "numbers"), CASES, ids=lambda value: str(value)[:40])
def test_it_equals_the_configured_one(cfg, numbers):
    cfg = {"scale": 1 if cfg["type"] == "Repeat" else 2, **cfg}
    own = degradation_from_config(cfg)
    before, state = own(HR, [3, 4]), torch.get_rng_state()
    other = own.changed(numbers)
    assert torch.equal(torch.get_rng_state(), state)
    arguments = configured(cfg, numbers)
    if "pool" in arguments:
        arguments["pool"] = None
    wanted = degradation_from_config({"type": cfg["type"], **arguments})
    assert torch.equal(other(HR, [3, 4]), wanted(HR, [3, 4]))
    assert not torch.equal(other(HR, [3, 4]), before)
    assert torch.equal(own(HR, [3, 4]), before)
    assert other.hash() == wanted.hash() != own.hash()
    trace = other.sample(HR, [3, 4])[0]
    assert torch.equal(wanted.replay(HR[:1], [trace]), other(HR, [3, 4])[:1])


def test_learned_parts_are_shared():
    """Twins with other weights stay apart."""
    parts = [degradation_from_config({"type": "DML", "scale": scale}) for scale in (2, 1)]
    twins = [degradation_from_config({"type": "DML", "scale": 1}) for _ in range(2)]
    cfg = {"type": "Compose", "parts": [*parts, *twins, {"type": "AWGN", "sigma": 1}], "scale": 2}
    own = degradation_from_config(cfg)
    other = own.changed({"parts.4.sigma": 3})
    assert all(one is two for one, two in zip(own.parts[:4], other.parts[:4], strict=True))
    assert other.parts[4].sigma == 3 and own.parts[4].sigma == 1
    with pytest.raises(ConfigError, match="DML has learned weights"):
        own.changed({"parts.1.kernel_size": 5})


def test_a_pool_is_shared():
    own = degradation_from_config({"type": "NoisePool", "scale": 2})
    other = own.changed({"strength": 2.0})
    assert other.pool_items is own.pool_items and other.pool_hash == own.pool_hash
    assert other.arguments["pool"] == own.arguments["pool"]


def test_what_does_not_exist_is_named():
    own = degradation_from_config({"type": "Compose", "parts": ["Bicubic", "AWGN"], "scale": 2})
    with pytest.raises(ConfigError, match="'AWGN' has no 'sigam': it has"):
        own.changed({"parts.1.sigam": 1})
    with pytest.raises(ConfigError, match="has no '7'"):
        own.changed({"parts.7.sigma": 1})
    with pytest.raises(ConfigError, match=r"sigma is 999, wanted a number from 0 to 255"):
        own.changed({"parts.1.sigma": 999})
