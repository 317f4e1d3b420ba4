"""What the contracts cannot know: what is particular to each component."""

from collections import Counter

import pytest
import torch
from camera_plugin import AnchorNet, ChromaticAberration, FrequencyLoss, ListedImages, SomeOf

from realdeg.degradations import Trace
from realdeg.errors import ConfigError, DataError


def test_red_and_blue_go_opposite_ways():
    hr = torch.zeros(1, 3, 21, 21)
    hr[:, :, 10, 10] = 1
    aberration = ChromaticAberration(scale=1, same_size=True)
    path = {**aberration.trace_params(), "down": 2.0, "right": -1.0}
    lr = aberration.replay(hr, [Trace("ChromaticAberration", path, (3, 21, 21))])[0]
    places = [divmod(int(plane.argmax()), 21) for plane in lr]
    assert places == [(12, 9), (10, 10), (8, 11)]
    with pytest.raises(ConfigError, match="max_shift"):
        ChromaticAberration(max_shift=-1.0)


def test_grey_pictures_are_degraded_like_their_colours():
    grey = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    aberration = ChromaticAberration(scale=2)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    colours = aberration(grey.expand(-1, 3, -1, -1), [3])
    torch.testing.assert_close(aberration(grey, [3]), (colours * weights).sum(1, keepdim=True))


def test_all_numbers_of_parts_are_equally_likely():
    parts = [dict(type="AWGN")] * 3
    container = SomeOf(parts, scale=2, least=1, most=2)
    counts = Counter(len(container.decide(seed)) for seed in range(2000))
    assert set(counts) == {1, 2}
    assert abs(counts[1] - 1000) < 100  # 4.5 standard deviations
    with pytest.raises(ConfigError, match="3 parts"):
        SomeOf(parts, most=4)


def test_an_untrained_network_repeats_pixels():
    network = AnchorNet(scale=2, width=4)
    for parameter in network.layers[-1].parameters():
        torch.nn.init.zeros_(parameter)
    lr = torch.rand(1, 3, 4, 5)
    assert torch.equal(network(lr), lr.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_energy_is_the_same_among_frequencies():
    """Parseval: orthonormal transforms keep the sum of squares."""
    x, y = torch.rand(2, 1, 3, 8, 8, dtype=torch.float64)
    # rfft2 leaves out the mirror images of all columns but the first and the last.
    terms = FrequencyLoss().elements(x, y).square()
    total = 2 * terms.sum() - terms[..., 0].sum() - terms[..., -1].sum()
    torch.testing.assert_close(total, (x - y).square().sum())


def test_what_is_listed_and_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no list at .*nowhere.txt"):
        ListedImages("nowhere.txt", data_root=tmp_path)
    (tmp_path / "list.txt").write_text("absent.png\n")
    with pytest.raises(DataError, match="absent.png: is listed"):
        ListedImages("list.txt", data_root=tmp_path).check()
