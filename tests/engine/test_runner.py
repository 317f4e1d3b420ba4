"""The runner: devices, configs, hooks, loops and what else it takes from a config."""

from __future__ import annotations

import sys
import time
import types

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.hooks import Hook

from realdeg.engine import ClosedFormLoop, RealdegRunner, read_checkpoint
from realdeg.engine.devices import bfloat16_fault, resolve_device
from realdeg.engine.plain_config import PlainConfig, config_text, run_config_text
from realdeg.errors import ConfigError, DataError
from realdeg.utils.data_file import read_data
from tests.engine.tiny import tiny_config, train


def test_two_runs_of_one_second_share_nothing(tmp_path):
    one, two = (
        RealdegRunner.from_cfg(tiny_config(tmp_path / "run", experiment_name="same"))
        for _ in range(2)
    )
    assert one.experiment_name != two.experiment_name and one.log_dir != two.log_dir
    assert one.logger is not two.logger and one.message_hub is not two.message_hub


def test_a_torchvision_that_does_not_match_harms_nobody(work_dir, monkeypatch):
    class Broken(types.ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setitem(sys.modules, "torchvision", Broken("torchvision"))
    assert train(work_dir, iterations=1).iter == 1


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert isinstance(resolve_device(None), torch.device)
    with pytest.raises(ConfigError, match="not a device"):
        resolve_device("toaster")
    if not torch.accelerator.is_available():
        assert resolve_device("auto") == torch.device("cpu")
        with pytest.raises(ConfigError, match="only cpu"):
            resolve_device("cuda:7")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.accelerator.is_available(), reason="no accelerator")
def test_an_accelerator_trains_and_resumes(work_dir):
    train(work_dir, iterations=8, device=None)
    runner = train(work_dir, device="auto", resume=True)
    assert runner.model.backbone.layer.weight.device.type != "cpu"
    with pytest.raises(ConfigError, match="were found"):
        resolve_device(f"{runner.device.type}:99")


class Unregistered(Hook):
    pass


def test_a_config_is_written_fast_and_reads_back(tmp_path):
    cfg = PlainConfig.of(dict(steps=[dict(type="Blur", size=i) for i in range(400)], name="it's"))
    began = time.perf_counter()
    text = cfg.pretty_text
    assert time.perf_counter() - began < 1
    assert cfg.pretty_text is text
    cfg.dump(str(tmp_path / "c.py"))
    assert Config.fromfile(tmp_path / "c.py").to_dict() == cfg.to_dict()
    assert config_text({"a": {"b": (1, None)}}) == "a = {'b': (1, None)}\n"


def test_the_work_dir_holds_the_config(work_dir):
    train(work_dir, iterations=1)
    found = read_data(work_dir / "config.yaml")
    assert found["model"]["type"] == "TinyTask" and not list(work_dir.glob("*.py"))
    # How and where the run was started is no part of it.
    assert not {"work_dir", "launcher", "resume", "device"} & set(found)


def test_what_has_no_plain_form_is_named_and_not_saved(work_dir):
    train(work_dir, iterations=1)
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type=torch.optim.Adam, lr=0.1))))
    assert yaml.safe_load(run_config_text(cfg)) == {
        "optim_wrapper": {"optimizer": {"type": "Adam", "lr": 0.1}}
    }
    with pytest.raises(ConfigError, match="'custom_hooks.0.type' is .*Unregistered"):
        run_config_text(Config(dict(custom_hooks=[dict(type=Unregistered)])))
    train(work_dir, iterations=1, custom_hooks=[Unregistered()])
    assert not (work_dir / "config.yaml").exists()  # that of the run before would be wrong


def test_mixed_precision_works_on_any_device(work_dir):
    wrapper = dict(type="AutocastOptimWrapper", optimizer=dict(type="SGD", lr=0.01))
    seen = []
    cfg = tiny_config(work_dir, iterations=2, optim_wrapper=wrapper)
    runner = RealdegRunner.from_cfg(cfg)
    runner.model.backbone.layer.register_forward_hook(lambda m, a, out: seen.append(out.dtype))
    runner.train()
    # A processor without instructions for it goes on in float32, and says so.
    fault = bfloat16_fault(torch.device("cpu"))
    assert (torch.float32 if fault else torch.bfloat16) in seen
    assert runner.model.backbone.layer.weight.dtype == torch.float32
    with pytest.raises(ConfigError, match="AmpOptimWrapper"):
        train(work_dir, optim_wrapper=dict(wrapper, dtype="float16"))


@pytest.mark.parametrize("value", ["touch PWNED", ["touch", "PWNED"], {"a": "touch PWNED"}])
def test_options_of_the_compiler_name_no_program(work_dir, value):
    with pytest.raises(ConfigError, match=r"compile_model.options.cpp.cxx"):
        train(work_dir, iterations=1, compile_model=dict(options={"cpp.cxx": value}))


def test_compiling_keeps_the_keys(work_dir):
    runner = train(work_dir, iterations=2, compile_model=dict(backend="eager"))
    assert runner.model.backbone._compiled_call_impl is not None
    assert "backbone.layer.weight" in read_checkpoint(work_dir / "iter_2.pth")["state_dict"]


def test_a_schedule_counts_iterations_unless_told_otherwise(work_dir):
    runner = train(work_dir, iterations=8)
    assert runner.optim_wrapper.get_lr()["lr"][0] == pytest.approx(0.025)


def test_a_closed_form_is_fitted_in_one_pass(work_dir):
    loader = tiny_config(work_dir)["val_dataloader"]
    cfg = dict(train_cfg=dict(type="ClosedFormLoop"), train_dataloader=loader)
    runner = train(work_dir, **cfg)
    assert sorted(runner.model.summed) == [f"item{i}" for i in range(7)]
    state = read_checkpoint(work_dir / "iter_4.pth")
    assert state["state_dict"]["backbone.layer.bias"].tolist() == [7.0] * 4
    assert runner.message_hub.get_scalar("val/tiny/count").current() == 7
    assert (work_dir / "backbone.safetensors").is_file()
    # Done is done.
    again = train(work_dir, resume=True, **cfg)
    assert again.model.summed == []


def test_a_closed_form_needs_data_that_end(work_dir):
    with pytest.raises(ConfigError, match="sampler that ends"):
        train(work_dir, train_cfg=dict(type="ClosedFormLoop"))
    assert ClosedFormLoop.max_epochs == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_data_error_keeps_its_one_sentence(work_dir, workers):
    with pytest.raises(DataError) as caught:
        train(work_dir, workers=workers, data=dict(fail_at=9))
    assert str(caught.value) == "photo.png cannot be read: it is cut off."


def test_a_wrapper_without_an_optimiser_is_refused(work_dir):
    with pytest.raises(ConfigError, match="has no optimizer"):
        train(work_dir, optim_wrapper=dict(type="AutocastOptimWrapper"))


def test_senseless_numbers_are_refused(work_dir):
    with pytest.raises(ConfigError, match="max_iters"):
        train(work_dir, train_cfg=dict(type="IterTrainLoop", max_iters=0))


def test_a_mistake_in_a_hook_keeps_its_traceback(work_dir):
    from realdeg.engine import ProgressHook

    class Mistaken(ProgressHook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            return None + 1

    with pytest.raises(TypeError) as caught:
        train(work_dir, custom_hooks=[Mistaken()])
    assert caught.traceback[-1].name == "after_train_iter"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(custom_hooks=[dict(type="EMAHook", momentu=0.1)]), "custom_hooks.*momentu"),
        (dict(custom_hooks=[dict(type="EMAHook", momentum=2.5)]), "custom_hooks.*must be in range"),
        (dict(val_cfg=dict(types="EvalLoop")), "'val_cfg'.*types"),
        (dict(train_cfg=dict(max_iters=1)), "'train_cfg'.*missing key"),
        (dict(optim_wrapper=dict(optimizer=dict(type="SGD", lr=-1))), "'optim_wrapper'.*-1"),
        (dict(param_scheduler=dict(type="StepLR")), "'param_scheduler'.*step_size"),
        (dict(param_scheduler=dict(type=lambda **_: None)), "makes None, which is not a scheduler"),
    ],
)
def test_what_mmengine_cannot_build_is_a_sentence(work_dir, changes, said):
    with pytest.raises(ConfigError, match=said) as caught:
        RealdegRunner.from_cfg(tiny_config(work_dir, iterations=1, **changes)).train()
    assert "\n" not in str(caught.value)


def test_a_mistake_in_somebodys_own_code_keeps_its_traceback(work_dir):
    class Broken(Hook):
        def before_run(self, runner):
            raise TypeError("a bug of mine")

    with pytest.raises(TypeError, match="a bug of mine"):
        train(work_dir, iterations=1, custom_hooks=[Broken()])


def test_two_metrics_of_one_name_are_refused_before_training():
    from realdeg.engine.refusals import refuse_duplicates
    from realdeg.evaluation import ImageQuality

    one, two = (ImageQuality(protocol="rgb", metrics=["psnr"]) for _ in range(2))
    with pytest.raises(ConfigError, match=r"two metrics .* measure 'psnr\[rgb\]'"):
        refuse_duplicates([one, two])
    refuse_duplicates(
        [one, ImageQuality(protocol="rgb", metrics=["psnr"], prefix="other"), object()]
    )
