import itertools

import pytest
from torch.utils.data import DataLoader

from realdeg.datasets import (
    HRFolderDataset,
    MixtureDataset,
    PairedFolderDataset,
    PositionSampler,
    collate_batch,
)
from realdeg.datasets.mixture import integer_weights, interleave
from realdeg.errors import ConfigError


class Numbers:
    """Stands for a data set: tells what it was asked for."""

    def __init__(self, name, size):
        self.name = name
        self.keys = [f"{name}{index}" for index in range(size)]

    def __len__(self):
        return len(self.keys)

    def __getitem__(self, item):
        return self.name, item


WEIGHTS = [(1,), (1, 1), (3, 1), (1, 2, 4), (5, 1, 1, 1), (1, 99), (7, 11, 13)]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_interleaving_is_exact_even_and_without_gaps(weights):
    total = sum(weights)
    counts = [0] * len(weights)
    for position in range(4 * total):
        component, rank = interleave(position, weights)
        assert rank == counts[component]
        counts[component] += 1
        for count, weight in zip(counts, weights, strict=True):
            assert abs(count - (position + 1) * weight / total) <= len(weights) / 2
        if (position + 1) % total == 0:
            assert counts == [weight * (position + 1) // total for weight in weights]


def test_interleaving_has_these_properties_for_any_weights():
    hypothesis = pytest.importorskip("hypothesis")
    numbers = hypothesis.strategies

    @hypothesis.settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @hypothesis.given(
        numbers.lists(numbers.integers(1, 10**6), min_size=1, max_size=6),
        numbers.integers(0, 10**15),
    )
    def check(weights, start):
        total = sum(weights)
        ranks = {}
        for position in range(start, start + 40):
            component, rank = interleave(position, weights)
            assert rank == ranks.get(component, rank)  # consecutive wherever one starts
            ranks[component] = rank + 1
            bound = len(weights) / 2
            assert abs(rank - position * weights[component] / total) <= bound + 1
        component, rank = interleave(start, weights)
        assert interleave(start + total, weights) == (component, rank + weights[component])

    check()


def test_weights():
    assert integer_weights([0.5, 0.5]) == [1, 1]
    assert integer_weights([0.1, 0.2, 0.7]) == [1, 2, 7]
    assert integer_weights([3, 1.5]) == [2, 1]
    for wrong in ([1, 0], [1, -1], [1, "half"], [1, float("nan")]):
        with pytest.raises(ConfigError, match="MixtureDataset: ratios"):
            MixtureDataset([Numbers("a", 1), Numbers("b", 1)], wrong)


def drawn(mixture, count, start=0):
    return [mixture[(position, 0)] for position in range(start, start + count)]


def test_each_component_makes_its_own_shuffled_passes():
    mixture = MixtureDataset([Numbers("a", 5), Numbers("b", 3)], [3, 1], seed=4)
    samples = drawn(mixture, 80)
    assert [item[0] for _, item in samples] == list(range(80))  # the position in the whole run
    first = [item[1] for name, item in samples if name == "a"]
    second = [item[1] for name, item in samples if name == "b"]
    assert (len(first), len(second)) == (60, 20)
    passes = [tuple(first[i : i + 5]) for i in range(0, 60, 5)]
    assert all(sorted(one) == list(range(5)) for one in passes) and len(set(passes)) > 6
    assert all(sorted(second[i : i + 3]) == [0, 1, 2] for i in range(0, 18, 3))
    assert drawn(mixture, 7, start=40) == samples[40:47]  # out of order, as after a resume
    assert drawn(MixtureDataset([Numbers("a", 5), Numbers("b", 3)], [3, 1], seed=5), 80) != samples


def test_without_ratios_every_sample_is_equally_likely():
    mixture = MixtureDataset([Numbers("a", 5), Numbers("b", 2)])
    assert len(mixture) == 7
    assert mixture.keys == ["a0", "a1", "a2", "a3", "a4", "b0", "b1"]
    sampler = PositionSampler(mixture, 7, seed=0)
    seen = [mixture[item] for item in itertools.islice(sampler, 7)]
    assert sorted((name, index) for name, (_, index) in seen) == [
        *(("a", i) for i in range(5)),
        ("b", 0),
        ("b", 1),
    ]
    assert [mixture[index] for index in (4, 5)] == [("a", 4), ("b", 0)]
    assert mixture[-1] == ("b", 1)
    with pytest.raises(IndexError):
        mixture[7]


@pytest.mark.parametrize("outer", [None, [1, 1]])
def test_nested_mixtures_keep_their_own_ratios(outer):
    inner = MixtureDataset([Numbers("b", 3), Numbers("c", 2)], [3, 1])
    mixture = MixtureDataset([Numbers("a", 5), inner], outer)
    sampler = PositionSampler(mixture, 8, seed=0)
    seen = [mixture[item] for item in itertools.islice(sampler, 400)]
    counts = {name: sum(one == name for one, _ in seen) for name in "abc"}
    if outer is None:
        assert abs(counts["b"] - 3 * counts["c"]) < 40  # its positions are scattered
    else:
        assert counts == {"a": 200, "b": 150, "c": 50}
    assert [position for _, (position, _) in seen] == list(range(400))


def test_built_from_configs_with_what_they_share(aligned_pairs):
    crop = [dict(type="PairedCrop", patch_size=16), dict(type="PackSample")]
    mixture = MixtureDataset(
        [
            dict(type="PairedFolderDataset", hr_dir="HR", lr_dir="LR", transforms=crop),
            dict(
                type="MixtureDataset",
                datasets=[dict(type="HRFolderDataset", folder="HR", transforms=crop)],
            ),
        ],
        [3, 1],
        scale=2,
        same_size=False,
        data_root=aligned_pairs,
        seed=9,
    )
    paired, inner = mixture.datasets
    assert isinstance(paired, PairedFolderDataset)
    (alone,) = inner.datasets
    assert isinstance(alone, HRFolderDataset)
    assert (paired.scale, paired.seed, alone.scale, alone.seed) == (2, 9, 2, 9)
    mixture.check()
    line = mixture.summary()
    assert "75.0% PairedFolderDataset" in line and "25.0% Mixture of" in line and "\n" not in line

    def keys(workers, start=0):
        sampler = PositionSampler(mixture, 8, seed=9)
        sampler.start(start)
        loader = DataLoader(
            mixture, 8, sampler=sampler, num_workers=workers, collate_fn=collate_batch
        )
        found = list(itertools.islice(loader, 3))
        assert all(int(batch["paired"].sum()) == 6 and batch["lr"].shape[0] == 6 for batch in found)
        return [(batch["key"], batch["seeds"], batch["meta"]) for batch in found]

    assert keys(0) == keys(2)
    assert keys(0)[2:] == keys(1, start=2)[:1]


def test_refusals():
    with pytest.raises(
        ConfigError, match="datasets is .., wanted a list of datasets that is not empty"
    ):
        MixtureDataset([])
    with pytest.raises(ConfigError, match="1 ratios for 2 data sets"):
        MixtureDataset([Numbers("a", 1), Numbers("b", 1)], [1])
    with pytest.raises(ConfigError, match="RealSRDataset"):
        MixtureDataset([dict(type="RealSRDatset")])
