"""RandomOrder, OneOf, Maybe, Repeat: what they draw, what they apply, what they refuse."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from scipy import stats

from realdeg import create_degradation
from realdeg.degradations import AWGN, Bicubic, Compose, Degradation, Trace
from realdeg.degradations.choices import Maybe, OneOf
from realdeg.degradations.random_order import RandomOrder
from realdeg.degradations.repeat import Repeat
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.registry import DEGRADATIONS
from realdeg.testing import ContainerContract
from realdeg.utils.streams import stream_seed

SIZE = (3, 24, 36)


class Brighten(Degradation):
    """A stranger's part: it knows the contract and nothing of containers."""

    same_grid_part = True

    def __init__(self, scale: int = 4, same_size: bool = False, by: float = 0.01) -> None:
        super().__init__(scale, same_size)
        self.by = by

    def sample_one(self, size, seed):
        return Trace("Brighten", {**self.trace_params(), "by": self.by * (seed % 97)}, size)

    def degrade(self, hr: torch.Tensor, traces: Sequence[Trace]) -> torch.Tensor:
        by = torch.tensor([trace.params["by"] for trace in traces]).view(-1, 1, 1, 1)
        small = hr[..., :: self.stride, :: self.stride] if self.stride > 1 else hr
        return small + by


class Shifted(Brighten):
    """A stranger's part whose LR grid begins at the first pixel of each block."""

    same_grid_part = False

    def sample_one(self, size, seed):
        return Trace("Shifted", {**self.trace_params(), "by": 0.0}, size)

    @property
    def offset(self):
        return 0.0


@pytest.fixture(autouse=True)
def strangers():
    for stranger in (Brighten, Shifted):
        DEGRADATIONS.register_module(module=stranger, force=True)
    yield
    for stranger in (Brighten, Shifted):
        DEGRADATIONS.module_dict.pop(stranger.__name__)


def _hr(batch=6):
    return torch.rand(batch, *SIZE, generator=torch.Generator().manual_seed(1))


NOISE, BICUBIC, STRANGER = {"type": "AWGN"}, {"type": "Bicubic"}, {"type": "Brighten"}
CONTAINERS = {
    "reduction_in_any_place": (
        RandomOrder,
        {"parts": [NOISE, BICUBIC, STRANGER], "before": [(0, 2)]},
    ),
    "any_order_of_noise": (RandomOrder, {"parts": [NOISE, STRANGER, "AWGN"]}),
    "one_of": (OneOf, {"parts": [NOISE, BICUBIC, STRANGER], "probabilities": [1, 2, 1]}),
    "maybe": (Maybe, {"part": STRANGER, "probability": 0.5}),
    "maybe_otherwise": (Maybe, {"part": STRANGER, "probability": 0.5, "otherwise": NOISE}),
    "repeat": (Repeat, {"part": STRANGER, "times": (0, 3)}),
    "repeat_a_chain": (
        Repeat,
        {"part": {"type": "Compose", "parts": [NOISE, STRANGER]}, "times": (1, 2)},
    ),
    "maybe_in_a_chain": (
        Compose,
        {"parts": [STRANGER, {"type": "Maybe", "part": NOISE}, BICUBIC]},
    ),
}
GEOMETRIES = [(1, False), (2, False), (2, True), (3, False), (3, True)]


class TestContainersWithAStrangersPart(ContainerContract):
    @pytest.fixture(params=CONTAINERS, autouse=True)
    def each(self, request, strangers):
        self.component, self.arguments = CONTAINERS[request.param]


def test_the_parts_are_applied_as_the_trace_says():
    """Each image equals its parts applied by hand, in the order of the trace."""
    hr, seeds = _hr(), list(range(6))
    for (kind, arguments), (scale, same_size) in itertools.product(CONTAINERS.values(), GEOMETRIES):
        container = kind(**arguments, scale=scale, same_size=same_size)
        lr = container(hr, seeds)
        for index, trace in enumerate(container.sample(hr, seeds)):
            image = hr[index : index + 1]
            for part in trace.parts:
                image = _by_hand(image, part)
            torch.testing.assert_close(lr[index : index + 1], image, atol=1e-6, rtol=0)


def _by_hand(image, trace):
    for part in trace.parts:
        image = _by_hand(image, part)
    geometry = {key: trace.params[key] for key in ("scale", "same_size")}
    if trace.type in ("AWGN", "Bicubic", "Brighten"):
        image = {"AWGN": AWGN, "Bicubic": Bicubic, "Brighten": Brighten}[trace.type](
            **geometry
        ).replay(image, [trace])
    return image


@pytest.mark.parametrize("before", [[], [(1, 3)], [(0, 1), (1, 2)], [(3, 0), (2, 0)]])
def test_every_allowed_order_is_equally_likely(before):
    container = RandomOrder([NOISE] * 4, scale=1, before=before)
    allowed = [
        order
        for order in itertools.permutations(range(4))
        if all(order.index(i) < order.index(j) for i, j in before)
    ]
    counts = Counter(container.decide(seed) for seed in range(4000))
    assert set(counts) == set(allowed)
    assert stats.chisquare([counts[order] for order in allowed]).pvalue > 1e-3


def test_an_order_that_is_not_allowed_is_refused():
    container = RandomOrder([NOISE] * 3, scale=1, before=[(0, 1)])
    hr = _hr(1)
    trace = container.sample(hr, [0])[0]
    faults = ([1, 0, 2], [0, 1], [0, 1, 1], [0, 1, 7], ["0", 1, 2], [0, True, 2], [[0], 1, 2])
    for order in (*faults, 3, None, {"0": 1}):
        with pytest.raises(DataError, match="order|forbids"):
            container.replay(hr, [Trace(trace.type, {**trace.params, "order": order}, trace.size)])
    with pytest.raises(DataError, match="0 parts"):
        container.replay(hr, [Trace(trace.type, trace.params, trace.size)])
    with pytest.raises(DataError, match="0 parts"):
        container.condition(Trace(trace.type, trace.params, trace.size))


def test_constraints_that_cannot_be_kept_are_named():
    for before, words in (
        ([(0, 1), (1, 0)], "no order"),
        ([(0, 0)], "different part indices"),
        ([(0, 2)], "from 0 to 1"),
        ([(0,)], r"before\.0 is \(0,\), wanted a list of 2 whole numbers"),
        ([3], r"before\.0 is 3, wanted a list"),
    ):
        with pytest.raises(ConfigError, match=words):
            RandomOrder([NOISE, NOISE], scale=1, before=before)
    with pytest.raises(ConfigError, match="with 1 to 16 items"):
        RandomOrder([NOISE] * 17, scale=1)
    with pytest.raises(ConfigError, match="shrink 4 times"):
        RandomOrder([{**BICUBIC, "scale": 2}] * 2, scale=2)
    with pytest.raises(ConfigError, match="displaces"):
        RandomOrder([{"type": "Shifted", "scale": 2}, {**BICUBIC, "scale": 2}], scale=4)


def test_one_of_draws_with_its_probabilities():
    container = OneOf([NOISE, BICUBIC, STRANGER], [3, 0, 1], scale=1)
    counts = Counter(container.decide(seed) for seed in range(4000))
    assert set(counts) == {0, 2}
    assert stats.chisquare([counts[0], counts[2]], [3000, 1000]).pvalue > 1e-3
    for wrong in ([1, 1], [0, 0, 0], [1, -1, 1], [1, float("nan"), 1], ["1", 1, 1]):
        with pytest.raises(ConfigError, match="probabilities"):
            OneOf([NOISE, BICUBIC, STRANGER], wrong, scale=1)


@pytest.mark.parametrize(
    ("container", "name", "faults"),
    [
        (OneOf([NOISE, BICUBIC], scale=1), "choice", (2, -1, 10**30, "0", None, True, [0])),
        (Maybe(NOISE, scale=1), "applied", (1, "yes", None, [True])),
        (Repeat(NOISE, (1, 2), scale=1), "times", (0, 3, 10**30, -1, 1.0, "2", None)),
    ],
)
def test_a_hostile_decision_meets_one_sentence(container, name, faults):
    hr = _hr(1)
    trace = container.sample(hr, [0])[0]
    for fault in faults:
        params = {**trace.params, name: fault}
        with pytest.raises(DataError, match=name) as caught:
            container.replay(hr, [Trace(trace.type, params, trace.size, trace.parts)])
        assert len(str(caught.value)) < 200
    with pytest.raises(DataError, match="lacks"):
        params = {key: value for key, value in trace.params.items() if key != name}
        container.replay(hr, [Trace(trace.type, params, trace.size, trace.parts)])


def test_maybe_is_applied_as_often_as_was_said():
    container = Maybe(STRANGER, 0.3, scale=2)
    applied = sum(container.decide(seed) for seed in range(4000))
    assert stats.binomtest(applied, 4000, 0.3).pvalue > 1e-3
    assert all(Maybe(NOISE, 1.0).decide(seed) for seed in range(20))
    assert not any(Maybe(NOISE, 0.0).decide(seed) for seed in range(20))
    hr = _hr(2)
    assert torch.equal(Maybe(STRANGER, 0.0, scale=2)(hr, [0, 1]), Bicubic(2)(hr, [0, 1]))
    assert torch.equal(Maybe(STRANGER, 0.0, scale=1)(hr, [0, 1]), hr)
    with pytest.raises(ConfigError, match="probability"):
        Maybe(NOISE, 1.5)


def test_repeat_draws_anew_each_time_and_shrinks_once():
    container = Repeat(NOISE, (2, 4), scale=3)
    assert [part.scale for part in container.members()] == [3, 1]
    counts = Counter(container.decide(seed) for seed in range(3000))
    assert set(counts) == {2, 3, 4}
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3
    trace = container.sample(_hr(1), [5])[0]
    seeds = [part.params["noise_seed"] for part in trace.parts]
    assert len(set(seeds)) == len(seeds) == trace.params["times"]
    halves = Repeat({**BICUBIC, "scale": 2}, (2, 2), scale=4)
    hr = _hr(1)
    assert torch.equal(halves(hr, [0]), Bicubic(2)(Bicubic(2)(hr, [0]), [0]))
    with pytest.raises(ConfigError, match="shrink 8 times"):
        Repeat({**BICUBIC, "scale": 2}, (2, 3), scale=4)
    for wrong in ((2, 1), (0, 0), (-1, 1), (1, 65), (1,), 3, (1.0, 2)):
        with pytest.raises(ConfigError, match="times"):
            Repeat(NOISE, wrong)


def test_repeat_keeps_the_weights_of_a_learned_part(tmp_path):
    learned = {"type": "DirectNet", "width": 2, "levels": 1}
    container = Repeat(learned, (2, 2), scale=2).eval()
    assert not container.is_trained and len(container.members()) == 2
    container.save(tmp_path / "r.safetensors")
    again = create_degradation(tmp_path / "r.safetensors")
    hr = _hr(1)
    assert torch.equal(again(hr, [0]), container(hr, [0])) and again.is_trained
    # A file says its own scale, so it is applied with it each time.
    create_degradation(learned, 2, True).save(tmp_path / "one.safetensors")
    twice = Repeat(str(tmp_path / "one.safetensors"), (2, 2), scale=2, same_size=True)
    assert len(twice.members()) == 1 and twice.is_trained
    # Parts of a part have a scale of their own when it is spelled out.
    chain = Repeat({"type": "Compose", "parts": [NOISE, learned]}, (2, 3), scale=3).eval()
    chain.save(tmp_path / "chain.safetensors")
    rebuilt = create_degradation(tmp_path / "chain.safetensors")
    traces = rebuilt.sample(hr, [4])
    assert torch.equal(rebuilt.replay(hr, traces), chain(hr, [4]))


def test_repeat_may_apply_something_else_the_later_times():
    container = Repeat(BICUBIC, (3, 3), scale=2, again=STRANGER)
    trace = container.sample(_hr(1), [1])[0]
    assert [part.type for part in trace.parts] == ["Bicubic", "Brighten", "Brighten"]
    with pytest.raises(ConfigError, match="shrink 4 times"):
        Repeat({**BICUBIC, "scale": 2}, (0, 2), scale=2)


def test_grids_that_differ_are_refused_and_a_common_one_is_declared():
    shifted = {"type": "Shifted"}
    assert OneOf([shifted, shifted], scale=2).offset == 0
    assert Compose([NOISE, shifted], scale=2).offset == 0
    assert Compose([{**shifted, "scale": 2}, {**BICUBIC, "scale": 2}], scale=4).offset == 1
    assert Compose([{**BICUBIC, "scale": 2}] * 2, scale=4).offset == 1.5
    assert RandomOrder([NOISE, shifted], scale=4).offset == 0
    assert Repeat({**shifted, "scale": 2}, (2, 2), scale=4).offset == 0
    with pytest.raises(ConfigError, match="on one grid"):
        OneOf([shifted, BICUBIC], scale=2)
    with pytest.raises(ConfigError, match="on one grid"):
        Maybe(shifted, scale=2)
    with pytest.raises(ConfigError, match="shrinks 2 times"):
        OneOf([BICUBIC, {**BICUBIC, "scale": 2}], scale=4)
    with pytest.raises(GeometryError):
        OneOf([Bicubic(2), Bicubic(2)], scale=17)


def test_a_container_of_noise_leaves_the_grid_to_another_part():
    inner = {"type": "OneOf", "parts": [NOISE, "AWGN"]}
    for first in (inner, {"type": "Maybe", "part": inner}, {"type": "Repeat", "part": NOISE}):
        assert [p.scale for p in Compose([first, BICUBIC], scale=3).members()] == [1, 3]
    shrinks = {"type": "Maybe", "part": NOISE, "otherwise": BICUBIC}
    assert [p.scale for p in Compose([shrinks, NOISE], scale=3).members()] == [3, 1]


def test_a_container_is_differentiable_where_its_parts_are():
    class Rounding(Brighten):
        differentiable = False

    assert OneOf([STRANGER, NOISE], scale=1).differentiable
    assert not OneOf([Rounding(1), NOISE], scale=1).differentiable
    hr = _hr(4).requires_grad_()
    RandomOrder([NOISE, BICUBIC], scale=2)(hr, [0, 1, 2, 3]).sum().backward()
    assert (hr.grad != 0).any(1).any(1).any(1).all()


def test_a_container_needs_colour_where_a_part_does():
    colour = {"type": "DSGAN", "width": 4, "num_blocks": 1}
    needs = create_degradation(colour, 2, False).needs_rgb
    assert OneOf([NOISE, colour], scale=2).needs_rgb == needs
    assert not OneOf([NOISE, BICUBIC], scale=2).needs_rgb


def test_no_parts_and_unknown_parts_are_named():
    for container in (Compose, RandomOrder, OneOf):
        with pytest.raises(
            ConfigError,
            match="wanted a list of degradations (that is not empty|with 1 to 16 items)",
        ):
            container([])
    with pytest.raises(ConfigError, match="Did you mean 'Brighten'"):
        Maybe("Brigten")


def test_streams_depend_on_names_not_on_calls():
    container = OneOf([NOISE, BICUBIC], scale=1)
    assert container.decide(7) == container.decide(7)
    draws = [container.decide(stream_seed(seed)) for seed in range(64)]
    assert 16 < sum(draws) < 48
