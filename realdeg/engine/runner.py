"""The runner: mmengine's, made quiet at the start and safe at the end."""

from __future__ import annotations

import atexit
import copy
import itertools
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_distributed, is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS, RUNNERS
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from realdeg.engine.closed_form import NoOptimWrapper
from realdeg.engine.console import quieten, say
from realdeg.engine.devices import resolve_device, start_processes, stop_processes
from realdeg.engine.environment import environment_lines
from realdeg.engine.interruption import Interruption
from realdeg.engine.loading import LoadsCheckpoints
from realdeg.engine.plain_config import PlainConfig, save_run_config
from realdeg.engine.refusals import (
    only_schedulers,
    refusals,
    refuse_doubled,
    says_what_cannot_be_built,
)
from realdeg.engine.state import component_of
from realdeg.engine.visualizer import LazyVisualizer
from realdeg.engine.workers import PrepareWorker
from realdeg.errors import ConfigError
from realdeg.registry import SCOPE
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.locks import exclusive
from realdeg.utils.mmengine_internals import (
    check_names,
    config_dict,
    guard_process,
    overrides_internals,
    registered_names_only,
    set_timestamp,
)

RUN = "training run"
"""What a second process in the work dir is told that the first one is."""

_runs = itertools.count()


check_names("mmengine.runner", "mmengine.hooks", "mmengine.optim")


@RUNNERS.register_module()
@overrides_internals
@says_what_cannot_be_built
class RealdegRunner(LoadsCheckpoints, Runner):
    """mmengine's Runner with the traps of long runs taken out.

    It starts with a summary instead of 130 lines (the log file has them all), survives a
    torchvision that does not match torch, resumes on torch >= 2.6 from the newest checkpoint that
    can be read, runs on the device it is told (several processes on CPUs included), and closes the
    process group it opened.

    Args:
        *args: As for mmengine's Runner.
        device: For instance ``"cpu"`` or ``"cuda:1"``; None takes the config's ``device``, or else
            the accelerator if there is one.
        compile_model: Compile the component with ``torch.compile``; a dict gives its options. None
            takes the config's ``compile_model``.
        **kwargs: As for mmengine's Runner. ``default_scope`` is realdeg's.

    Raises:
        ConfigError: If the device is not there.
        OutputError: If the work dir cannot be written.
    """

    def __init__(
        self,
        *args: Any,
        device: str | torch.device | None = None,
        compile_model: bool | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        guard_process()  # mmengine's own registries, which take part in every run
        cfg = PlainConfig.of(kwargs.pop("cfg", None))
        self.device = resolve_device(device if device is not None else cfg.get("device"))
        self._compile = cfg.get("compile_model") if compile_model is None else compile_model
        self.interruption = Interruption()
        self.loaded_from = ""
        self._exactly = False
        self._training = False
        if "work_dir" in kwargs:
            ensure_writable_dir(kwargs["work_dir"])
        kwargs["default_scope"] = _scope_of(kwargs.get("default_scope"))
        randomness = dict(kwargs.get("randomness") or {})
        if randomness.get("seed") is None:
            randomness["seed"] = cfg.get("seed")
        kwargs["randomness"] = self._randomness = randomness
        if _type_of(kwargs.get("train_cfg")) == "ClosedFormLoop":
            # mmengine wants an optimiser wherever something is trained.
            kwargs["optim_wrapper"] = dict(type="NoOptimWrapper")
            kwargs["param_scheduler"] = None
        super().__init__(*args, cfg=cfg, **kwargs)

    def close(self) -> None:
        """End the run: close its log file and leave the process group."""
        stop_processes()
        for handler in list(self.logger.handlers):
            handler.flush()

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Set processes, threads and the name of the run.

        Args:
            env_cfg: mmengine's ``env_cfg``; ``dist_cfg`` may hold ``timeout`` (seconds).
        """
        if self.launcher == "pytorch" and not is_distributed():
            # mmengine's own start insists on an accelerator.
            start_processes(self.device, env_cfg.get("dist_cfg"))
            atexit.register(stop_processes)
        super().setup_env(env_cfg)
        number = next(_runs)
        if number:
            # Loggers and message hubs are kept by name: two runs of one second would share them.
            set_timestamp(self, f"{self.timestamp}_{number}")

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger: everything to the file, little to the console."""
        logger = super().build_logger(*args, **kwargs)
        self.console = quieten(logger)
        return logger

    def build_visualizer(self, visualizer: Any = None) -> Visualizer:
        """Build the visualizer.

        Args:
            visualizer: Its config, or the visualizer; None writes ``scalars.json`` and what
                the config's ``vis_backends`` name.

        Returns:
            The visualizer.
        """
        if isinstance(visualizer, Visualizer):
            return visualizer
        options = dict(visualizer or {})
        if options.get("type", "Visualizer") != "Visualizer":
            return super().build_visualizer(options)
        backends = self.cfg.get("vis_backends") or [dict(type="LocalVisBackend")]
        options.setdefault("vis_backends", copy.deepcopy(backends))
        options.setdefault("save_dir", self.log_dir)
        options["name"] = self.experiment_name
        options.pop("type", None)
        return LazyVisualizer.get_instance(**options)

    def say(self, message: str, *args: Any) -> None:
        """Log a message that the console shows even before training has begun.

        Args:
            message: A message, with ``%`` places for ``args``.
            *args: What fills them.
        """
        say(self.logger, message, *args)

    def log_environment(self, env_cfg: dict[str, Any]) -> None:
        """Write to the log what the run is made of.

        Args:
            env_cfg: mmengine's ``env_cfg``.
        """
        lines = environment_lines(self.device)
        lines += [f"env_cfg: {dict(env_cfg)}", f"randomness: {self._randomness}"]
        lines += [f"seed: {self.seed}", f"processes: {self.world_size}, launcher {self.launcher}"]
        self.logger.info("Environment:\n    %s", "\n    ".join(lines))
        if config_dict(self.cfg):
            self.logger.info("Config:\n%s", self.cfg.pretty_text)

    def dump_config(self) -> None:
        """Write nothing yet: mmengine asks before it is known whether the run can begin."""

    def load_or_resume(self) -> None:
        """Load what the config asks for; then the work dir's config is this run's."""
        super().load_or_resume()
        self._write_config()

    @master_only
    def _write_config(self) -> None:
        save_run_config(self.cfg, Path(self.work_dir), self.logger)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call every hook that has a method of that name.

        Args:
            fn_name: For instance ``"after_train_iter"``.
            **kwargs: Its arguments.
        """
        # mmengine's own turns a TypeError inside a hook into one without its traceback.
        # What mmengine's hooks build, they build before the run.
        building = fn_name == "before_run"
        with refusals("custom_hooks' or 'default_hooks") if building else nullcontext():
            for hook in self.hooks:
                method = getattr(hook, fn_name, None)
                if method is not None:
                    method(self, **kwargs)

    def register_default_hooks(self, hooks: Mapping[str, Hook | dict | None] | None = None) -> None:
        """Register realdeg's default hooks, changed by the config's.

        Args:
            hooks: By name; None as a value leaves a default hook out.
        """
        chosen: dict[str, Hook | dict | None] = {
            "runtime_info": dict(type="RunInfoHook"),
            "timer": dict(type="IterTimerHook"),
            "finite": dict(type="FiniteLossHook"),
            "param_scheduler": dict(type="ParamSchedulerHook"),
            "alignment": dict(type="AlignmentHook"),
            "baseline": dict(type="BaselineHook"),
            "standstill": dict(type="StandstillHook"),
            "logger": dict(type="ProgressHook"),
            "outputs": dict(type="OutputsHook"),
            "checkpoint": dict(type="SaveCheckpointHook"),
        }
        chosen.update(hooks or {})
        for hook in chosen.values():
            if hook is not None:
                self.register_hook(copy.deepcopy(hook) if isinstance(hook, dict) else hook)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict[str, Any],
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader:
        """Build a data loader whose workers outlive a Ctrl-C.

        Args:
            dataloader: A data loader, or its config.
            seed: Seed for samplers that take one.
            diff_rank_seed: Give each process a seed of its own.

        Returns:
            The data loader.
        """
        if isinstance(dataloader, dict):
            dataloader = copy.deepcopy(dataloader)
            if not dataloader.get("num_workers"):
                dataloader["num_workers"] = 0
                # torch refuses these where there are no workers.
                dataloader.pop("persistent_workers", None)
                dataloader.pop("prefetch_factor", None)
            if dataloader["num_workers"]:
                dataloader.setdefault("worker_init_fn", dict(type=PrepareWorker()))
        with registered_names_only():
            return Runner.build_dataloader(dataloader, seed=seed, diff_rank_seed=diff_rank_seed)

    def build_optim_wrapper(self, optim_wrapper: Any) -> OptimWrapper:
        """Build the optimiser wrapper.

        Args:
            optim_wrapper: Its config, or the wrapper.

        Returns:
            The wrapper.

        Raises:
            ConfigError: If there is a wrapper and no optimiser in it.
        """
        if isinstance(optim_wrapper, dict) and optim_wrapper.get("type") == "NoOptimWrapper":
            return NoOptimWrapper()
        if isinstance(optim_wrapper, dict) and "type" in optim_wrapper:
            if "optimizer" not in optim_wrapper and "constructor" not in optim_wrapper:
                raise ConfigError(
                    f"optim_wrapper of type {optim_wrapper['type']} has no optimizer: add"
                    " optimizer=dict(type='Adam', lr=1e-4). A changed type drops the former keys."
                )
        return super().build_optim_wrapper(optim_wrapper)

    def _build_param_scheduler(self, scheduler: Any, optim_wrapper: OptimWrapper) -> list[Any]:
        schedulers = scheduler if isinstance(scheduler, list | tuple) else [scheduler]
        prepared = []
        for item in schedulers:
            if isinstance(item, dict):
                item = copy.deepcopy(item)
                if not str(item.get("type", "")).startswith("Reduce"):
                    # mmengine's default counts epochs, of which an iteration loop has one.
                    item.setdefault("by_epoch", False)
            prepared.append(item)
        return only_schedulers(super()._build_param_scheduler(prepared, optim_wrapper))

    def build_evaluator(self, evaluator: Any) -> Any:
        """Build an evaluator.

        Args:
            evaluator: Its config, or the evaluator.

        Returns:
            The evaluator.

        Raises:
            ConfigError: If two of its metrics measure numbers of one name.
        """
        built = super().build_evaluator(evaluator)
        refuse_doubled(built.metrics)
        return built

    def build_test_loop(self, loop: Any) -> Any:
        """Build the loop of ``test()``.

        Args:
            loop: Its config, or the loop.

        Returns:
            The loop, told that it tests rather than validates.
        """
        built = super().build_test_loop(loop)
        if hasattr(built, "stage"):
            built.stage = "test"
        return built

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Move the model to its device, compile it if asked, and wrap it for several processes.

        Args:
            model_wrapper_cfg: Options of the wrapper.
            model: The task.

        Returns:
            The task, or its wrapper.
        """
        model = model.to(self.device)
        if self._compile:
            self._compile_component(model)
        if not self.distributed:
            return revert_sync_batchnorm(model)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            return model
        options = dict(model_wrapper_cfg or {})
        options.setdefault("type", "MMDistributedDataParallel")
        wrapper = MODEL_WRAPPERS.get(options["type"])
        if isinstance(wrapper, type) and issubclass(wrapper, MMDistributedDataParallel):
            index = self.device.index
            options.setdefault("device_ids", None if index is None else [index])
            options.setdefault("broadcast_buffers", False)
        return MODEL_WRAPPERS.build(options, default_args={"module": model})

    def _compile_component(self, model: nn.Module) -> None:
        found = component_of(model)
        module = found[1] if found else model
        if isinstance(module, nn.Sequential):
            raise ConfigError(
                "compile_model: an nn.Sequential cannot be compiled in place (torch 2.13 silently"
                " does nothing); wrap it in a module of its own."
            )
        options = dict(self._compile) if isinstance(self._compile, Mapping) else {}
        for key, value in dict(options.get("options") or {}).items():
            if not isinstance(value, bool | int | float):  # texts there name programs that are run
                raise ConfigError(
                    f"'compile_model.options.{key}' is {value!r:.60}: only numbers, True and"
                    " False are handed on."
                )
        # In place, so that the keys of the state dict stay as they are.
        module.compile(**options)
        self.say("compiled %s: the first iterations take long", type(module).__name__)

    def train(self) -> nn.Module:
        """Train.

        Returns:
            The model.

        Raises:
            OutputError: If another process trains in the same work dir.
        """
        self._training = True
        alone = exclusive(self.work_dir, RUN) if is_main_process() else nullcontext()
        try:
            with alone:
                return super().train()
        finally:
            self._training = False


def _scope_of(asked: str | None) -> str:
    # mmengine's from_cfg fills in its own scope where the config names none.
    return SCOPE if asked in (None, "mmengine") else str(asked)


def _type_of(cfg: Any) -> str:
    return str(cfg.get("type", "")).rpartition(".")[2] if isinstance(cfg, Mapping) else ""
