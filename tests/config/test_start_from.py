"""x4 begins with the weights of x2: what is taken, what is not, and what is refused."""

import re

import pytest
import torch

from realdeg import create_backbone
from realdeg.apis.recipes import leave_out
from realdeg.config import inject, list_configs, load_config
from realdeg.errors import CheckpointError, ConfigError
from realdeg.registry import TASKS
from realdeg.utils.component import save_component, state_faults

RECIPE = "edsr/edsr_div2k_x4_from_x2"
TINY = {"backbone.num_blocks": 1, "backbone.num_features": 4}
STARTING = [name for name in list_configs() if "_from_" in name]


def small(scale, **arguments):
    return create_backbone(
        dict(type="EDSR", num_blocks=1, num_features=4, scale=scale, same_size=False, **arguments)
    )


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Put the weights where the recipe looks for them."""
    monkeypatch.chdir(tmp_path)
    network = small(2)
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.25)
    file = tmp_path / "work_dirs/edsr_div2k_x2/backbone.safetensors"
    file.parent.mkdir(parents=True)
    save_component(file, network, kind="backbone", type="EDSR", arguments=network.arguments)
    return file


def task(options=None):
    cfg = load_config(RECIPE, {**TINY, **(options or {})})
    return TASKS.build(inject(cfg).model.to_dict())


def learned(state):
    return {name for name in state if "_mean." not in name}


def taken(state):
    return {name for name in learned(state) if bool((state[name] == 0.25).all())}


def test_all_but_what_is_ignored_is_taken(start):
    state = task().backbone.state_dict()
    drawn = {name for name in state if name.startswith("tail.")}
    assert drawn and taken(state) == learned(state) - drawn


def test_partial_takes_what_fits(start, caplog):
    options = {"backbone.start_from.ignore": [], "backbone.start_from.partial": True}
    state = task(options).backbone.state_dict()
    # x4 has a second doubling, which x2 has not.
    assert learned(state) - taken(state) == {"tail.0.2.weight", "tail.0.2.bias"}
    assert "EDSR has only a part of" in caplog.text and "tail.0.2.weight" in caplog.text


def test_weights_that_do_not_fit_are_refused(start):
    with pytest.raises(CheckpointError, match="scale=2 and this network scale=4"):
        task({"backbone.start_from.ignore": []})
    with pytest.raises(CheckpointError, match="x2/backbone.safetensors have num_features=4"):
        task({"backbone.num_features": 8})


@pytest.mark.parametrize("name", STARTING)
def test_missing_weights_name_the_recipe_that_makes_them(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(name)
    with pytest.raises(CheckpointError, match="backbone.start_from") as caught:
        inject(cfg)
    made = re.search(r"realdeg train (\S+)$", str(caught.value))
    # Below work_dirs/, so that the other run needs no further word.
    assert made and made[1] in list_configs() and "--work-dir" not in str(caught.value)
    cfg.sample = True
    with pytest.raises(CheckpointError, match=f"realdeg train {made[1]} --sample$"):
        inject(cfg)


def test_missing_weights_elsewhere(tmp_path):
    options = {"backbone.start_from.checkpoint": str(tmp_path / "edsr_div2k_x2/w.safetensors")}
    with pytest.raises(CheckpointError, match=f"edsr_div2k_x2 --work-dir {tmp_path}"):
        inject(load_config(RECIPE, options))
    options = {"backbone.start_from.checkpoint": str(tmp_path / "mine.pth")}
    with pytest.raises(CheckpointError, match=r"no .*mine\.pth\. Train that first"):
        inject(load_config(RECIPE, options))


@pytest.mark.parametrize("name", STARTING)
def test_recipes_fit_those_that_they_begin_with(name):
    cfg = load_config(name)
    begin = cfg.backbone.start_from
    source = next(
        other
        for other in list_configs()
        if other.rpartition("/")[2] == begin.checkpoint.split("/")[1]
    )
    states = []
    for recipe in (load_config(source), cfg):
        settings = {key: recipe.backbone[key] for key in recipe.backbone if key != "start_from"}
        with torch.device("meta"):
            built = create_backbone(settings, recipe.scale, recipe.same_size)
        states.append(built.state_dict())
    ignored, partial = tuple(begin.get("ignore", ())), begin.get("partial", False)
    kept = [
        {k: v for k, v in state.items() if not k.startswith(ignored or "-")} for state in states
    ]
    faults = state_faults(kept[1], kept[0])
    # Nothing is left out in vain, and nothing but the end of a network is new.
    assert bool(faults) == partial and len(faults) <= 4
    # A tail has six tensors, however small the network is.
    assert len(states[1]) - len(kept[1]) <= max(6, 0.1 * len(states[1]))
    assert not ignored or state_faults(states[1], states[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"backbone.start_from": {"checkpoint": "x2", "ignored": ["tail."]}},
            "unknown key 'backbone.start_from.ignored'.*'ignore'",
        ),
        ({"backbone.start_from": "x2.safetensors"}, "start_from' is 'x2.safetensors', wanted dict"),
        ({"backbone.start_from": {"ignore": ["tail."]}}, "start_from.* wanted dict"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ConfigError, match=message):
        load_config("edsr/edsr_div2k_x4", options)


def test_a_file_that_describes_itself_has_no_start(start):
    with pytest.raises(ConfigError, match="start_from beside 'checkpoint'"):
        create_backbone(dict(checkpoint=str(start), start_from=dict(checkpoint=str(start))))


def test_measuring_does_not_need_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(RECIPE)
    leave_out(cfg, "train", "val")
    assert "start_from" not in inject(cfg).model.backbone


def test_the_weights_of_a_discriminator_are_looked_for_too(start):
    begin = {"checkpoint": "work_dirs/edsr_gan/iter_4.pth"}
    options = {
        "backbone.start_from": None,
        "model.loss": {"type": "L1Loss", "_delete_": True},  # the recipe's needs VGG19
        "model.discriminator.start_from": begin,
    }
    cfg = load_config("edsr/edsr_gan_t91_x4_cpu", options)
    with pytest.raises(CheckpointError, match="'model.discriminator.start_from': there is no work"):
        inject(cfg)
    leave_out(cfg, "train", "val")
    assert "start_from" not in inject(cfg).model.discriminator


def test_another_type_drops_them():
    cfg = load_config(RECIPE, {"backbone.type": "RDN", "backbone.num_blocks": 1})
    assert cfg.backbone == dict(type="RDN", num_blocks=1)
    assert inject(cfg).model.backbone.type == "RDN"


def test_a_published_start_has_no_file_to_look_for():
    start = {"checkpoint": None, "pretrained": "torchsr"}
    cfg = load_config("edsr/edsr_div2k_x4", {"backbone.start_from": start})
    assert inject(cfg).model.backbone.start_from == start


def test_none_begins_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load_config(RECIPE, {"backbone.start_from": None})
    assert inject(cfg).model.backbone.start_from is None
    assert isinstance(small(4, start_from=None).state_dict(), dict)


def test_weights_of_a_sample_run_are_no_start(start):
    network = small(2)
    notes = {"sample": True}
    settings = dict(kind="backbone", type="EDSR", arguments=network.arguments, meta=notes)
    save_component(start, network, **settings)
    with pytest.raises(ConfigError, match=r"built-in sample .* realdeg train edsr/edsr_div2k_x2"):
        task()
    assert task({"sample": True})


def test_a_part_of_a_network_begins_with_weights_of_its_own(tmp_path, monkeypatch):
    """Missing ones are named with the command that makes them; a test needs none."""
    monkeypatch.chdir(tmp_path)
    cfg = load_config("cincgan/cincgan_realsrv3crops_x4_cpu")
    run = "edsr_realsrv3crops_bicubic_x4_cpu"
    with pytest.raises(CheckpointError, match=r"'backbone\.enlarger\.start_from'") as caught:
        inject(cfg)
    assert f"realdeg train edsr/{run}" in str(caught.value)
    leave_out(cfg, "train")
    assert "start_from" not in inject(cfg).model.backbone.enlarger
