"""The runner: mmengine's with a short start and a safe end."""

from __future__ import annotations

import atexit
import copy
import itertools
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_distributed, is_main_process
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS, RUNNERS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from realdeg.engine.checkpoint import write_checkpoint
from realdeg.engine.compiling import compile_component, lay_out
from realdeg.engine.console import filter_console, say
from realdeg.engine.defaults import freezing, with_defaults
from realdeg.engine.devices import resolve_device, start_processes, stop_processes
from realdeg.engine.environment import environment_lines
from realdeg.engine.freezing import Frozen
from realdeg.engine.interruption import Interruption
from realdeg.engine.loading import load_or_resume, load_weights, restore
from realdeg.engine.optimisers import check_parts
from realdeg.engine.plain_config import PlainConfig, save_run_config
from realdeg.engine.refusals import explain_build_errors, refusals
from realdeg.engine.state import collect_state, component_of
from realdeg.engine.workers import PrepareWorker
from realdeg.utils.deprecation import warn_renamed
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.locks import exclusive
from realdeg.utils.mmengine_internals import (
    backward_passes,
    check_names,
    config_dict,
    guard_process,
    overrides_internals,
    registered_names_only,
    set_resuming,
    set_timestamp,
)
from realdeg.utils.processes import drop_worker_options

RUN = "training run"
"""What messages to a second process in the work dir call the first one."""

_runs = itertools.count()
check_names("mmengine.runner", "mmengine.hooks")


@RUNNERS.register_module()
@overrides_internals
@explain_build_errors
class RealdegRunner(Runner):
    """mmengine's Runner without its traps for long runs.

    It prints a summary instead of 130 lines (which are in the log file), works with a torchvision
    that does not match torch, resumes on torch >= 2.6 from the newest readable checkpoint, runs on
    the device it is given (also in several processes on CPUs), and closes the process group that it
    opened.

    Args:
        *args: As for mmengine's Runner.
        device: For instance ``"cpu"`` or ``"cuda:1"``. None takes the config's ``device``, or else
            the accelerator if there is one.
        compile_model: Compile the component with ``torch.compile``; a dict gives its options. None
            takes the config's ``compile_model``.
        load_from: A file of weights to start from, or a checkpoint of the work dir to resume from.
        resume: Resume from the newest readable checkpoint of the work dir.
        **kwargs: As for mmengine's Runner. ``default_scope`` is realdeg's.

    Raises:
        ConfigError: If the device is not available, or the optimiser wrapper has no optimiser.
        OutputError: If the work dir cannot be written.
    """

    def __init__(
        self,
        *args: Any,
        device: str | torch.device | None = None,
        compile_model: bool | Mapping[str, Any] | None = None,
        load_from: str | None = None,
        resume: bool = False,
        **kwargs: Any,
    ) -> None:
        guard_process()  # for mmengine's own registries, which every run uses
        cfg = PlainConfig.of(kwargs.pop("cfg", None))
        self.device = resolve_device(device if device is not None else cfg.get("device"))
        self._compile = cfg.get("compile_model") if compile_model is None else compile_model
        self.interruption = Interruption()
        self.training = False
        self.load_from, self.resume_exactly = load_from, False
        self.loaded_from = ""
        self.setup: dict[str, Any] = {}
        if "work_dir" in kwargs:
            ensure_writable_dir(kwargs["work_dir"])
        options = with_defaults(kwargs, cfg)
        self._randomness = options["randomness"]
        super().__init__(*args, cfg=cfg, resume=resume, **options)
        # Before any data are opened; the optimisers are built later.
        check_parts(self.model, self.optim_wrapper)

    def close(self) -> None:
        """End the run: flush its log file and leave the process group."""
        stop_processes()
        for handler in list(self.logger.handlers):
            handler.flush()

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Set up processes, threads and the name of the run.

        Args:
            env_cfg: mmengine's ``env_cfg``. ``dist_cfg`` may have a ``timeout`` in seconds.
        """
        if self.launcher == "pytorch" and not is_distributed():
            # mmengine's own function requires an accelerator.
            start_processes(self.device, env_cfg.get("dist_cfg"))
            atexit.register(stop_processes)
        super().setup_env(env_cfg)
        number = next(_runs)
        if number:
            # Loggers and message hubs are kept by name: two runs in one second would share them.
            set_timestamp(self, f"{self.timestamp}_{number}")

    def say(self, message: str, *args: Any) -> None:
        """Log a message (a ``%`` format and its arguments) that the console always shows."""
        say(self.logger, message, *args)

    def log_environment(self, env_cfg: dict[str, Any]) -> None:
        """Write software, hardware and the config to the log file."""
        # Nothing is logged before this.
        self.console = filter_console(self.logger)
        lines = environment_lines(self.device)
        lines += [f"env_cfg: {dict(env_cfg)}", f"randomness: {self._randomness}"]
        lines += [f"seed: {self.seed}", f"processes: {self.world_size}, launcher {self.launcher}"]
        self.logger.info("Environment:\n    %s", "\n    ".join(lines))
        if config_dict(self.cfg):
            self.logger.info("Config:\n%s", self.cfg.pretty_text)

    def dump_config(self) -> None:
        """Do nothing: mmengine calls this before it is known whether the run can start."""

    def load_or_resume(self) -> None:
        """Load what the config asks for, then write the config into the work dir."""
        if not self.loaded_from:
            load_or_resume(self)
        if is_main_process():
            self._write_config()

    def _write_config(self) -> None:
        save_run_config(self.cfg, Path(self.work_dir), self.logger)

    def resume_from(self, path: str) -> None:
        """Resume from exactly this ``.pth`` file when the training starts.

        Otherwise ``resume`` takes the newest checkpoint of the work dir, whatever ``load_from`` is.
        """
        self.load_from, self.resume_exactly = str(path), True
        set_resuming(self)

    def go_on_from(self, path: str) -> None:
        """Former name of :meth:`resume_from`."""
        warn_renamed("RealdegRunner.go_on_from", "RealdegRunner.resume_from")
        self.resume_from(path)

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Resume from a checkpoint now: weights, optimisers, schedulers and iteration.

        Args:
            filename: The ``.pth`` file.
            *args: Ignored: everything is restored, and files are read on the CPU.
            **kwargs: Ignored.
        """
        restore(self, Path(filename))

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Load weights into the model.

        Args:
            filename: A checkpoint, a state dict, a self-describing ``.safetensors`` file of the
                component that the task trains, or a file of another project with the weights of
                its backbone.
            *args: Ignored: files are read on the CPU and must always fit.
            **kwargs: Ignored.

        Returns:
            ``state_dict`` and ``meta``.
        """
        return load_weights(self, Path(filename))

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        *args: Any,
        iteration: int | None = None,
        training: bool = True,
        **kwargs: Any,
    ) -> None:
        """Save a checkpoint, whole or not at all; only the first process writes.

        Args:
            out_dir: The folder.
            filename: The file's name.
            *args: Ignored; mmengine's.
            iteration: The number of completed iterations; None takes the loop's count.
            training: Also save optimiser, schedulers and message hub.
            **kwargs: Ignored; mmengine's.

        Raises:
            OutputError: If it cannot be written. An older file of that name is then kept.
        """
        if is_main_process():
            done = self.iter if iteration is None else iteration
            write_checkpoint(Path(out_dir) / filename, collect_state(self, done, training))

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call every hook that has a method of that name, such as ``"after_train_iter"``."""
        # mmengine's method raises a TypeError inside a hook again without its traceback.
        # mmengine's hooks build things in before_run.
        building = refusals("custom_hooks' or 'default_hooks")
        with building if fn_name == "before_run" else nullcontext():
            for hook in self.hooks:
                method = getattr(hook, fn_name, None)
                if method is not None:
                    method(self, **kwargs)

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader[Any] | dict[str, Any],
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader[Any]:
        """Build a data loader whose workers survive a Ctrl-C.

        Args:
            dataloader: A data loader, or its config.
            seed: The seed for samplers that take one.
            diff_rank_seed: Whether each process gets its own seed.
        """
        if isinstance(dataloader, dict):
            dataloader = copy.deepcopy(dataloader)
            dataloader["num_workers"] = dataloader.get("num_workers") or 0
            drop_worker_options(dataloader)
            if dataloader["num_workers"]:
                dataloader.setdefault("worker_init_fn", dict(type=PrepareWorker()))
        with registered_names_only():
            loader: DataLoader[Any] = Runner.build_dataloader(
                dataloader, seed=seed, diff_rank_seed=diff_rank_seed
            )
        return loader

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Move the task to its device, compile it if asked, and wrap it for several processes.

        Args:
            model_wrapper_cfg: Options of the wrapper.
            model: The task.
        """
        model = model.to(self.device)
        lay_out(model, self.cfg.get("memory_format"), self.say)
        freeze = freezing(self.cfg)
        if freeze is not None:
            frozen = Frozen(model, freeze.get("patterns", ()), "freeze")
            if freeze.get("until") is None:
                frozen.set_trained(False)
        if self._compile:
            found = component_of(model)
            options = self._compile if isinstance(self._compile, Mapping) else {}
            compile_component(found[1] if found else model, options, self.say)
        if not self.distributed:
            model = revert_sync_batchnorm(model)
        if not (self.distributed and any(p.requires_grad for p in model.parameters())):
            return model
        options = dict(model_wrapper_cfg or {})
        options.setdefault("type", "MMDistributedDataParallel")
        wrapper = MODEL_WRAPPERS.get(options["type"])
        if isinstance(wrapper, type) and issubclass(wrapper, MMDistributedDataParallel):
            index = self.device.index
            options.setdefault("device_ids", None if index is None else [index])
            options.setdefault("broadcast_buffers", False)
            unused = not getattr(model, "uses_all_parameters", True)
            options.setdefault("find_unused_parameters", unused)
        wrapped: nn.Module = MODEL_WRAPPERS.build(options, default_args={"module": model})
        return wrapped

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: Mapping[str, Any] | None = None) -> None:
        """Scale the learning rates with the batch, where ``auto_scale_lr`` asks for it.

        Args:
            optim_wrapper: The optimiser wrapper.
            auto_scale_lr: ``base_batch_size`` is that of an iteration, over all processes and
                backward passes.
        """
        passes = backward_passes(optim_wrapper)
        if auto_scale_lr and auto_scale_lr.get("base_batch_size") and passes > 1:
            base = auto_scale_lr["base_batch_size"] / passes
            auto_scale_lr = {**auto_scale_lr, "base_batch_size": base}
        super().scale_lr(optim_wrapper, auto_scale_lr)

    def train(self) -> nn.Module:
        """Train the model and return it.

        Raises:
            OutputError: If another process trains in the same work dir.
        """
        self.training = True
        alone = exclusive(self.work_dir, RUN) if is_main_process() else nullcontext()
        try:
            with alone:
                trained: nn.Module = super().train()
            return trained
        finally:
            self.training = False
