"""Every registered component holds its arguments to its annotations, however it is built."""

import inspect
import math
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Interval, MinLen
from torch import nn

from realdeg import registry
from realdeg.degradations import DML, Degradation
from realdeg.errors import ConfigError, GeometryError
from realdeg.registry import DEGRADATIONS, HOOKS
from realdeg.utils.annotations import mismatch
from realdeg.utils.argument_types import Component, Count, FixedOrRange, OddSize
from realdeg.utils.arguments import Arguments, arguments_of, component_mark, is_checked

REGISTRIES = [
    *(registry.DEGRADATIONS, registry.BACKBONES, registry.DISCRIMINATORS, registry.LOSSES),
    *(registry.ZERO_SHOT, registry.ESTIMATORS),
    *(registry.TASKS, registry.DATASETS, registry.TRANSFORMS, registry.DATA_SAMPLERS),
    *(registry.METRICS, registry.HOOKS, registry.LOOPS),
]
CLASSES = [
    pytest.param(one, name, id=name)
    for one in REGISTRIES
    for name in one.names()
    if isinstance(one.get(name), type) and one.get(name).__module__.startswith("realdeg.")
]
# What no annotation but Any takes, and values beyond every limit.
STRANGER = object()
BEYOND = (-(10**6) - 1, 10**6 + 1, -1, 0, 2.5, "no such choice", [], [0.5], [5, 2], True)


def sentences(one: Any, name: str, argument: str, value: Any) -> tuple[str, str]:
    """Return what Python and the registry say of one argument."""
    cls = one.get(name)
    needed = {key: placeholder(cls, key) for key in arguments_of(cls).required}
    settings = {**needed, argument: value}
    with pytest.raises((ConfigError, GeometryError)) as by_hand:
        cls(**settings)
    with pytest.raises((ConfigError, GeometryError)) as by_config:
        one.build({"type": name, **settings})
    assert type(by_hand.value) is type(by_config.value)
    return str(by_hand.value), str(by_config.value)


def placeholder(cls: type, argument: str) -> Any:
    """Return a value that fits an annotation; the one that is wrong is said before any is used."""
    annotation = arguments_of(cls).parameters[argument].annotation
    for value in (1, 0.5, "text", [], ["text"], {}, [{}, {}], {"a": 1}):
        if mismatch(value, annotation) is None:
            return value
    return object.__new__(nn.Module)


def test_a_missing_argument_of_a_base_class_is_named():
    class Base(Degradation):
        def __init__(self, width: Count, scale: int = 4) -> None:
            super().__init__(scale=scale)

    class Own(Base):
        def __init__(self, depth: Count = 1, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    with pytest.raises(ConfigError, match=r"^Own needs width\.$"):
        Own(depth=2)
    assert Own(width=3).arguments == {"depth": 1, "width": 3}


@pytest.mark.parametrize(("one", "name"), CLASSES)
def test_a_wrong_value_is_refused_with_one_sentence(one, name):
    known = arguments_of(one.get(name))
    assert is_checked(one.get(name))
    for argument, parameter in known.parameters.items():
        for value in (STRANGER, *BEYOND):
            wrong = known.mismatch(argument, value)
            if wrong is None:
                continue
            by_hand, by_config = sentences(one, name, argument, value)
            assert by_hand == by_config
            assert by_hand.startswith(f"{name}: {argument}")
        if parameter.annotation not in (Any, parameter.empty) and argument != "runner":
            assert known.mismatch(argument, STRANGER), f"{argument} takes anything"


@pytest.mark.parametrize(("one", "name"), CLASSES)
def test_defaults_fit_their_own_annotations(one, name):
    for argument, parameter in arguments_of(one.get(name)).parameters.items():
        default = parameter.default
        if default is not parameter.empty and default != math.inf:
            assert mismatch(default, parameter.annotation) is None, argument


@pytest.mark.parametrize(("one", "name"), CLASSES)
def test_unknown_and_missing_arguments(one, name):
    known = arguments_of(one.get(name))
    needed = {key: placeholder(one.get(name), key) for key in known.required}
    with pytest.raises(ConfigError, match=f"{name} takes no argument 'nothing_like_it'"):
        one.get(name)(**needed, nothing_like_it=1)
    if known.required:
        with pytest.raises(ConfigError, match=f"{name} needs {', '.join(known.required)}"):
            one.get(name)()


def test_the_sentences():
    with pytest.raises(ConfigError, match=r"^DML: num_kernels is 'many', wanted a whole number, 1"):
        DML(num_kernels="many")
    with pytest.raises(ConfigError, match=r"^DML: skips is 3, wanted True or False\.$"):
        DML(skips=3)
    with pytest.raises(ConfigError, match="takes no argument 'num_kernel'.*Did you mean 'num_kern"):
        DML(num_kernel=3)
    with pytest.raises(ConfigError, match="DML: multiple values for argument 'scale'"):
        DML(4, scale=4)
    with pytest.raises(GeometryError, match="DML: scale is 17, wanted a whole number from 1 to 16"):
        DML(17)


class Counted(Arguments):
    """Counts how often arguments are checked."""

    seen = 0

    def check(self, *args, **kwargs):
        Counted.seen += 1
        super().check(*args, **kwargs)


def test_a_construction_is_checked_once(monkeypatch):
    from realdeg.utils import arguments

    known = arguments._gate_of(DML)[1]
    counted = Counted(known.parameters, known.required, known.open)
    gate = arguments._gate_of(DML)[0]
    monkeypatch.setattr(arguments, "_gate_of", lambda cls: (gate, counted))
    DML(width=4, levels=1)
    assert Counted.seen == 1
    Counted.seen = 0
    DEGRADATIONS.build({"type": "DML", "width": 4, "levels": 1})
    assert Counted.seen == 1


def test_strangers():
    @DEGRADATIONS.register_module(force=True)
    class OfMineForTheGate(Degradation):
        def __init__(self, width: Count = 3, *, side: OddSize = 3, **kwargs):
            super().__init__(**kwargs)
            self.width = width

    @HOOKS.register_module(force=True)
    class NothingAtAll:
        pass

    class Unregistered(OfMineForTheGate):
        def __init__(self, width):
            super().__init__(width, scale=2)

    try:
        mine = OfMineForTheGate(5, scale=2)
        assert mine.arguments == {"width": 5, "side": 3, "scale": 2}
        assert Unregistered(4).arguments == {"width": 4}
        for wrong in (dict(width=0), dict(side=4), dict(scale="2"), dict(same_size=1)):
            with pytest.raises((ConfigError, GeometryError), match=f"OfMine.*{next(iter(wrong))}"):
                OfMineForTheGate(**wrong)
        with pytest.raises(ConfigError, match="NothingAtAll takes no argument 'x'. It takes: none"):
            NothingAtAll(x=3)
        assert isinstance(NothingAtAll(), NothingAtAll)
    finally:
        DEGRADATIONS.module_dict.pop("OfMineForTheGate")
        HOOKS.module_dict.pop("NothingAtAll")


def test_classes_of_torch_are_left_as_they_are():
    losses = registry.LOSSES
    before = nn.HuberLoss.__init__
    losses.register_module(module=nn.HuberLoss)
    try:
        assert nn.HuberLoss.__init__ is before
        with pytest.raises(ConfigError, match="HuberLoss: delta is 'far', wanted a number"):
            losses.build({"type": "HuberLoss", "delta": "far"})
    finally:
        losses.module_dict.pop("HuberLoss")


def test_components_among_arguments():
    def takes(
        one: Annotated[nn.Module | dict[str, Any], Component("loss", "image")],
        several: Sequence[Annotated[dict[str, Any], Component("degradation")]],
        none: int = 3,
    ) -> None: ...

    found = component_mark(takes, "one")
    assert found is not None and (found.registry, found.kind) == ("loss", "image")
    assert component_mark(takes, "several") == Component("degradation")
    assert component_mark(takes, "none") is component_mark(takes, "nowhere") is None


@pytest.mark.parametrize(
    ("value", "annotation", "said"),
    [
        (0, Count, "a whole number, 1 or more"),
        (4, OddSize, "a whole number, 1 or more that is odd"),
        (0, Count | None, "a whole number, 1 or more, or None"),
        ([0], list[Count], "a list of whole numbers of 1 or more"),
        ([], Annotated[list[int], MinLen(1)], "a list of whole numbers that is not empty"),
        ((3, 1), FixedOrRange, "a number or a list of 2 numbers in ascending order"),
        (3, FixedOrRange, None),
        (
            (0, 9),
            Annotated[FixedOrRange, Interval(ge=0, le=5)],
            "a number from 0 to 5 or a list of 2 numbers from 0 to 5 in ascending order",
        ),
        (5, Annotated[nn.Module | dict, Component("loss")], "a loss or a dict with a type"),
        (nn.ReLU(), Annotated[nn.Linear | dict, Component("loss")], "a loss or a dict with a type"),
        ("c", Literal["a", "b"] | Annotated[int, Ge(2)], "'a', 'b' or a whole number, 2 or more"),
        (range(3), Sequence[int], None),
    ],
)
def test_limits_in_words(value, annotation, said):
    found = mismatch(value, annotation)
    assert found == (said and f"is {value!r}, wanted {said}")


def test_annotations_that_only_type_checkers_know():
    def takes(width: "Nowhere | None", height: "int" = 1) -> None: ...  # noqa: F821

    known = arguments_of(takes)
    assert known.mismatch("width", "x") is None and known.mismatch("height", "x")
    assert typing.get_args(Count) and inspect.signature(DML).parameters["num_kernels"].default == 8
