"""Losses in the features of a trunk: layers and weights are refused before data are opened."""

import pytest
import torch

from realdeg import train
from realdeg.config import load_config
from realdeg.errors import ConfigError
from realdeg.losses import ContentLoss
from realdeg.utils.trunk_files import PerceptualUnavailableError

RECIPE = "edsr/edsr_div2k_x4"
L1 = dict(type="L1Loss")


def weighted(**term):
    return {"model.loss": dict(type="WeightedLoss", terms=[L1, dict(type="ContentLoss", **term)])}


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (dict(layers={"conv5_5": 1}), "'model.loss.terms.1'.*VGG19 has no layer 'conv5_5'"),
        (dict(layers={"conv5_4": "1"}), "'model.loss.terms.1.layers' is"),
        (dict(layers={}), "'model.loss.terms.1.layers' is {}"),
        (dict(trunk="vgg18"), "'model.loss.terms.1'.*'vgg18'.*'vgg19'"),
        (dict(layers={"conv1_1": 1, "relu1_1": 1}, before_relu=False), "two of the layers"),
        (dict(criterion="l3"), "'model.loss.terms.1.criterion'.*'l1', 'mse' or 'norm'"),
    ],
)
def test_refused_when_the_config_is_read(term, said):
    with pytest.raises(ConfigError, match=said):
        load_config(RECIPE, weighted(**term))


def test_patches_that_are_too_small_for_a_layer():
    options = {**weighted(layers={"pool5": 1.0}), "patch_size": 24}
    with pytest.raises(ConfigError, match="terms.1'.*at least 32 pixels.*patch_size=24"):
        load_config(RECIPE, options)
    options["model.loss"]["terms"][1]["layers"] = {"conv5_4": 1.0}
    load_config(RECIPE, options)


@pytest.mark.parametrize(
    ("term", "file"),
    [
        ({}, "vgg19-dcbb9e9d.pth"),
        ({"trunk": "vgg16", "layers": {"conv1_1": 1.0}}, "vgg16-397923af.pth"),
        ({"type": "LPIPSLoss"}, "alexnet-owt-7be5be79.pth"),
        ({"weights": "nowhere.pth"}, "nowhere.pth"),
    ],
)
def test_missing_weights_are_refused_before_data_are_opened(tmp_path, monkeypatch, term, file):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    options = weighted()
    options["model.loss"]["terms"][1].update(term)
    load_config(RECIPE, options)  # it can be read, shown and tested without the weights
    # There are no data either, but they are not what is missed.
    with pytest.raises(PerceptualUnavailableError, match=f"^'model.loss.terms.1': .*{file}"):
        train(RECIPE, options=options, work_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_with_weight_zero_nothing_is_missed():
    ContentLoss.check_files({"type": "ContentLoss", "weight": 0}, "model.loss")
