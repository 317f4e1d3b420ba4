"""Experiment trackers that a config's ``log_to`` names, as mmengine's backends of a visualizer.

mmengine's own backends are used for files and TensorBoard. Those for W&B and MLflow are not: they
drop the iteration of a value, upload the code of the current folder, fail at names of metrics such
as ``psnr[dml-paper]``, and set the address of the server themselves.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from mmengine.config import Config
from mmengine.registry import VISBACKENDS
from mmengine.visualization.vis_backend import BaseVisBackend

from realdeg.errors import ConfigError, first_line

# MLflow's limits: characters of a value, and values of one call.
_LONGEST_VALUE = 250
_MOST_VALUES = 100


class RunBackend(BaseVisBackend):
    """A tracker with projects, runs and steps.

    A run starts when the first value comes, or its config; nothing is sent before.

    Args:
        save_dir: The folder ``vis_data`` of the run, by which the run is named.
        project: The project; None: that of the tracker's environment variable, or ``realdeg``.
        name: The run's name; None: work dir and time.
    """

    package: ClassVar[str]
    project_variable: ClassVar[str]

    def __init__(
        self, save_dir: str | None = None, project: str | None = None, name: str | None = None
    ) -> None:
        super().__init__("" if save_dir is None else save_dir)
        folder = Path(save_dir or "run").absolute()
        self._project = project or os.environ.get(self.project_variable) or "realdeg"
        self._label = name or "-".join(folder.parts[-3:-1])
        self._config: dict[str, Any] = {}
        self._module: Any = None

    @property
    def experiment(self) -> Any:
        """The tracker's module, with a run started."""
        if self._module is None:
            self._init_env()
        return self._module

    def _init_env(self) -> None:
        try:
            self._module = import_module(self.package)
            self._start(self._module)
        except Exception as error:
            self._module = None
            raise ConfigError(
                f"log_to names {self.package}, which cannot start a run: {first_line(error)} Set it"
                " up as its documentation says, or leave out log_to."
            ) from error

    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Start the run with its config."""
        self._config = config.to_dict()
        self._init_env()

    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Log one number."""
        self.add_scalars({name: value}, step)

    def add_scalars(
        self,
        scalar_dict: Mapping[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Log numbers of one iteration."""
        self._log(self.experiment, {key: float(value) for key, value in scalar_dict.items()}, step)

    def close(self) -> None:
        """End the run, if one was started."""
        if self._module is not None:
            self._end(self._module)
            self._module = None

    @abstractmethod
    def _start(self, module: Any) -> None:
        """Start a run."""

    @abstractmethod
    def _log(self, module: Any, numbers: Mapping[str, float], step: int) -> None:
        """Log numbers."""

    def _end(self, module: Any) -> None:
        module.finish()


@VISBACKENDS.register_module()
class TrackioVisBackend(RunBackend):
    """Logs to Trackio, on this machine or in the Space of ``TRACKIO_SPACE_ID``."""

    package = "trackio"
    project_variable = "TRACKIO_PROJECT"

    def _start(self, module: Any) -> None:
        module.init(project=self._project, name=self._label, config=self._config)

    def _log(self, module: Any, numbers: Mapping[str, float], step: int) -> None:
        module.log(dict(numbers), step=step)


@VISBACKENDS.register_module()
class WandbRunVisBackend(TrackioVisBackend):
    """Logs to Weights & Biases; its environment variables (``WANDB_MODE=offline``) apply."""

    package = "wandb"
    project_variable = "WANDB_PROJECT"

    def _start(self, module: Any) -> None:
        Path(self._save_dir).mkdir(parents=True, exist_ok=True)
        module.init(
            project=self._project, name=self._label, config=self._config, dir=self._save_dir
        )


@VISBACKENDS.register_module()
class MLflowRunVisBackend(RunBackend):
    """Logs to MLflow, where ``MLFLOW_TRACKING_URI`` says, or where MLflow does by default."""

    package = "mlflow"
    project_variable = "MLFLOW_EXPERIMENT_NAME"

    def _start(self, module: Any) -> None:
        module.set_experiment(self._project)
        module.start_run(run_name=self._label)
        values = [(key, str(value)[:_LONGEST_VALUE]) for key, value in _flat(self._config).items()]
        for first in range(0, len(values), _MOST_VALUES):
            module.log_params(dict(values[first : first + _MOST_VALUES]))

    def _log(self, module: Any, numbers: Mapping[str, float], step: int) -> None:
        module.log_metrics({_plain(key): value for key, value in numbers.items()}, step=step)

    def _end(self, module: Any) -> None:
        module.end_run()


def _plain(name: str) -> str:
    """Return a name of letters, digits and ``_-. /``: ``psnr[dml-paper]`` as ``psnr.dml-paper``."""
    return re.sub(r"[^\w\-. /]", "_", re.sub(r"\[([^\]]*)\]", r".\1", name))


def _flat(config: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        where = _plain(f"{place}.{key}" if place else str(key))
        if isinstance(value, Mapping):
            flat |= _flat(value, where)
        else:
            flat[where] = value
    return flat
