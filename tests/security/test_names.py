"""A name is a key of a registry or nothing: it imports and calls nothing, in whichever registry."""

from __future__ import annotations

import ast
import logging
import sys
from pathlib import Path

import mmengine.registry
import pytest
from mmengine.model import BaseModel
from mmengine.registry import Registry as MMEngineRegistry

import realdeg.registry
from realdeg.config import load_config
from realdeg.config.shape import look_up
from realdeg.engine import RealdegRunner
from realdeg.errors import ConfigError, RealdegError
from realdeg.utils import mmengine_internals as registered
from realdeg.utils.mmengine_internals import find_registered, registered_names_only
from tests.engine.tiny import tiny_config

OURS = {
    name: value
    for name, value in vars(realdeg.registry).items()
    if isinstance(value, realdeg.registry.Registry)
}
THEIRS = {
    name: value
    for name, value in vars(mmengine.registry).items()
    if isinstance(value, MMEngineRegistry)
}
NAMES = (
    "subprocess.getoutput",
    "os.system",
    "builtins.eval",
    "a_trap.call",
    "a_trap.deeper.call",
    "a_trap",
    "realdeg.a_trap.call",
    "mmengine.a_trap.call",
    "realdeg.registry.load_plugins",
    "mmengine.utils.get_object_from_string",
    "./my_cam.py",
    "../../etc",
    ".",
    "..",
    "",
    "\0",
    "a" * 100_000,
)


@pytest.fixture(autouse=True)
def trap(tmp_path, monkeypatch):
    """Importable modules that remember it when they are imported or called."""
    source = (
        "import pathlib\n"
        "def call(*args, **kwargs):\n"
        "    pathlib.Path(__file__).with_name('CALLED').touch()\n"
        "pathlib.Path(__file__).with_name('IMPORTED').touch()\n"
    )
    folder = tmp_path / "a_trap"
    folder.mkdir()
    for name in ("__init__", "registry", "deeper"):
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    for registry in (*OURS.values(), *THEIRS.values()):
        registry.import_from_location()  # what their authors named is no name of a file
    loaded = set(sys.modules)
    yield folder
    assert not (folder / "IMPORTED").exists()
    assert not (folder / "CALLED").exists()
    assert not {name for name in set(sys.modules) - loaded if "trap" in name}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:20]))
def test_no_name_leaves_the_registries(name):
    for registry in OURS.values():
        assert registry.get(name) is None
        with pytest.raises(ConfigError):
            registry.require(name)
        with pytest.raises(ConfigError):
            registry.build({"type": name, "cmd": "id"})
    for registry in THEIRS.values():
        assert find_registered(registry, name) is None
        with pytest.raises(ConfigError), registered_names_only():
            registry.get(name)
        with pytest.raises(ConfigError):
            look_up(registry, name, "somewhere")


@pytest.mark.parametrize("name", [None, 5, True, ["DML"], {"a": 1}, b"DML"])
def test_a_name_is_a_text(name):
    for registry in OURS.values():
        assert registry.get(name) is None
        with pytest.raises(ConfigError):
            registry.build({"type": name})


def test_registered_names_are_found_with_and_without_scope():
    assert find_registered(realdeg.registry.DEGRADATIONS, "DML").__name__ == "DML"
    assert find_registered(realdeg.registry.DEGRADATIONS, "realdeg.DML").__name__ == "DML"
    assert find_registered(realdeg.registry.BACKBONES, "DML") is None
    hooks = realdeg.registry.HOOKS
    assert find_registered(hooks, "EMAHook") is find_registered(hooks, "mmengine.EMAHook")
    assert find_registered(THEIRS["TRANSFORMS"], "realdeg.Degrade").__name__ == "Degrade"
    with registered_names_only():
        assert THEIRS["OPTIMIZERS"].get("Adam").__name__ == "Adam"


def test_a_scope_of_a_config_imports_nothing():
    with pytest.raises(ConfigError, match="_scope_"):
        realdeg.registry.LOSSES.build({"type": "L1Loss", "_scope_": 5})
    realdeg.registry.LOSSES.build({"type": "CharbonnierLoss", "_scope_": "a_trap"})


def test_classes_given_as_objects_are_taken():
    cls = realdeg.registry.DEGRADATIONS.require("Bicubic")
    assert type(realdeg.registry.DEGRADATIONS.build({"type": cls, "scale": 2})) is cls


def test_other_programs_keep_mmengines_way(monkeypatch):
    monkeypatch.setattr(registered._Process, "names_only", False)
    assert THEIRS["MODELS"].get("mmengine.model.BaseModel").__name__ == "BaseModel"
    with registered_names_only(), pytest.raises(ConfigError):
        THEIRS["MODELS"].get("mmengine.model.BaseModel")
    assert THEIRS["MODELS"].get("mmengine.model.BaseModel").__name__ == "BaseModel"


def test_what_is_guarded_is_all_that_imports_in_mmengines_registries():
    """A new version of mmengine that imports by name elsewhere shows here."""
    importing = {"import_module", "__import__", "get_object_from_string", "eval", "exec"}
    found = set()
    for file in Path(mmengine.registry.__path__[0]).glob("*.py"):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                called = {
                    getattr(node.func, "id", getattr(node.func, "attr", ""))
                    for node in ast.walk(function)
                    if isinstance(node, ast.Call)
                }
                found |= {f"{file.stem}.{function.name}"} if called & importing else set()
    assert found == {
        "registry.get",  # replaced
        "registry.switch_scope_and_registry",  # replaced
        "registry.import_from_location",  # modules that the registry's author names
    }
    assert MMEngineRegistry.get is registered._get
    assert MMEngineRegistry.switch_scope_and_registry is registered._switch


PLACES = {
    "model.type": ("model", "type"),
    "dataset": ("train_dataloader", "dataset", "type"),
    "sampler": ("train_dataloader", "sampler", "type"),
    "batch_sampler": ("train_dataloader", "batch_sampler", "type"),
    "collate_fn": ("train_dataloader", "collate_fn", "type"),
    "worker_init_fn": ("train_dataloader", "worker_init_fn", "type"),
    "train_cfg": ("train_cfg", "type"),
    "evaluator": ("val_evaluator", "type"),
    "metric": ("val_evaluator", "metrics", 0, "type"),
    "optim_wrapper": ("optim_wrapper", "type"),
    "optimizer": ("optim_wrapper", "optimizer", "type"),
    "constructor": ("optim_wrapper", "constructor"),
    "param_scheduler": ("param_scheduler", 0, "type"),
    "hook": ("default_hooks", "logger", "type"),
    "custom_hook": ("custom_hooks", 0, "type"),
    "visualizer": ("visualizer", "type"),
    "vis_backend": ("vis_backends", 0, "type"),
    "log_processor": ("log_processor", "type"),
    "default_scope": ("default_scope",),
}


def _put(holder, path, value):
    for key, following in zip(path, path[1:], strict=False):
        default = [{}] if following == 0 else {}
        if isinstance(holder, dict):
            holder = holder.setdefault(key, default)
        else:
            holder = holder[key]
    holder[path[-1]] = value


@pytest.mark.parametrize("place", PLACES)
def test_no_place_of_a_run_imports_a_name(place, tmp_path):
    cfg = tiny_config(tmp_path / "run", iterations=1)
    cfg["custom_hooks"] = [dict(type="EMAHook")]
    _put(cfg, PLACES[place], "a_trap" if place == "default_scope" else "a_trap.call")
    try:
        RealdegRunner.from_cfg(cfg).train()
    except RealdegError as error:
        assert place == "default_scope" or "a_trap" in str(error)
    else:
        raise AssertionError(f"a name that is registered nowhere passed at {place}")
    finally:
        logging.shutdown()


@pytest.mark.parametrize("part", ["data_preprocessor", "init_cfg"])
def test_a_task_built_without_a_runner_imports_no_name(part):
    @realdeg.registry.TASKS.register_module(force=True)
    class TrappedTask(BaseModel):
        def forward(self, *args, **kwargs):
            return None

    with pytest.raises(ConfigError, match="a_trap"):
        task = realdeg.registry.TASKS.build({"type": "TrappedTask", part: {"type": "a_trap.call"}})
        with registered_names_only():
            task.init_weights()


@pytest.mark.parametrize(
    "option",
    [
        "train_dataloader.collate_fn.type",
        "train_dataloader.worker_init_fn.type",
        "train_dataloader.batch_sampler.type",
        "model_wrapper_cfg.type",
        "visualizer.type",
        "log_processor.type",
        "optim_wrapper.optimizer.type",
        "default_hooks.logger.type",
        "degradation.type",
        "backbone.type",
    ],
)
def test_options_of_the_command_line_name_registered_things_only(option):
    with pytest.raises(ConfigError, match=r"no .* named"):
        load_config("srcnn/srcnn_t91_x3_cpu", {option: "a_trap.call"})
