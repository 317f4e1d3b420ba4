"""The registries from which every component is built.

A registry's ``locations`` are imported at the first lookup, so this module does not import torch.
Tasks, data sets, transforms, metrics, hooks, loops, samplers and optimiser wrappers are children of
mmengine's registries, where its Runner finds them. mmengine allows one child per scope and parent,
so degradations, estimators of kernels, backbones, zero-shot methods, discriminators and losses are
roots.
"""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points
from typing import Any

import mmengine.registry

from realdeg.errors import ConfigError, nearest
from realdeg.utils.arguments import check_arguments, check_constructor, is_checked
from realdeg.utils.mmengine_internals import (
    WatchedRegistry,
    find_registered,
    registered_names_only,
)

SCOPE = "realdeg"
PLUGIN_GROUP = "realdeg.plugins"


class Registry(WatchedRegistry):
    """An mmengine registry that never imports dotted names; its errors list the known names."""

    also: Registry | None = None
    """Another registry whose components fit wherever those of this one do."""

    def get(self, key: str) -> Any:
        """Return what is registered under a name, with or without a scope prefix, or None."""
        found = find_registered(self, key)
        return found if found is not None or self.also is None else self.also.get(key)

    def names(self) -> list[str]:
        """Return the sorted names registered here, importing the lazy locations first."""
        self.import_from_location()
        return sorted(self.module_dict)

    def all_names(self) -> list[str]:
        """Return the sorted names registered here and in ``also``."""
        return sorted([*self.names(), *(self.also.names() if self.also is not None else ())])

    def require(self, name: str, place: str = "") -> type:
        """Return the class registered under ``name``.

        Args:
            name: The registered name, with or without a scope prefix.
            place: The name's key in the config, for the message.

        Raises:
            ConfigError: If nothing is registered under that name.
        """
        found = self.get(name)
        if found is None:
            known = self.all_names()
            at = f" at '{place}'" if place else ""
            shown = f"'{name}'" if isinstance(name, str) and len(name) < 80 else f"{name!r:.80}"
            raise ConfigError(
                f"no {self.name} named {shown}{at}: searched {', '.join(known) or 'nothing'}"
                f" (registry '{self.name}', scope '{SCOPE}').{nearest(str(name)[:80], known)}"
                " Components of your own are brought in by custom_imports or the"
                f" '{PLUGIN_GROUP}' entry point."
            )
        return found

    def check_kind(self, component: Any, kind: str | None, place: str) -> None:
        """Refuse a component whose class declares another ``kind`` than a place takes.

        Args:
            component: A registered class or function; one without a ``kind`` fits everywhere.
            kind: What the place takes, such as ``"adversarial"``; None takes all.
            place: The place in the config, for the message.

        Raises:
            ConfigError: Naming the kind that was found and the components that fit.
        """
        found = getattr(component, "kind", None)
        if kind is None or found is None or found == kind:
            return
        fitting = [n for n in self.names() if getattr(self.get(n), "kind", None) == kind]
        raise ConfigError(
            f"'{place}' is {getattr(component, '__name__', component)}, {self._of(found)};"
            f" wanted {self._of(kind)}: {', '.join(fitting) or 'none is registered'}."
        )

    def _of(self, kind: str) -> str:
        """Return ``"an image loss"``; a penalty is called by its kind alone."""
        return _a(kind if kind == "penalty" else f"{kind} {self.name}")

    def on_registration(self, module: Any) -> None:
        """Have a newly registered class check its construction."""
        if isinstance(module, type):
            check_constructor(module)

    def build(self, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        """Build a component from a dict with a ``type``.

        Args:
            cfg: The component's config.
            *args: Passed to mmengine's build.
            **kwargs: Passed to mmengine's build.

        Raises:
            ConfigError: If ``type`` is missing or unknown, or the type takes no such argument.
        """
        if not isinstance(cfg, dict) or "type" not in cfg:
            raise ConfigError(f"a {self.name} is built from a dict with a 'type', got {cfg!r}.")
        component = cfg["type"]
        if isinstance(component, str) or not callable(component):
            component = self.require(component)
            if not is_checked(component):  # a function, or a class of torch's or mmengine's
                check_arguments(component, cfg)
        with registered_names_only():
            return super().build(cfg, *args, **kwargs)


def _a(word: str) -> str:
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def _root(name: str, location: str) -> Registry:
    return Registry(name, scope=SCOPE, locations=[location])


def _child(name: str, parent: str, location: str) -> Registry:
    return Registry(
        name, parent=getattr(mmengine.registry, parent), scope=SCOPE, locations=[location]
    )


DEGRADATIONS = _root("degradation", "realdeg.degradations")
ESTIMATORS = _root("estimator", "realdeg.degradations.estimation")
BACKBONES = _root("backbone", "realdeg.backbones")
DISCRIMINATORS = _root("discriminator", "realdeg.discriminators")
LOSSES = _root("loss", "realdeg.losses")
ZERO_SHOT = _root("zero-shot method", "realdeg.zero_shot")
# A method that learns from the image itself is built and called like a network. It is not among the
# networks' own names, because it has no weights to train, export or publish.
BACKBONES.also = ZERO_SHOT

TASKS = _child("task", "MODELS", "realdeg.tasks")
DATASETS = _child("dataset", "DATASETS", "realdeg.datasets")
TRANSFORMS = _child("transform", "TRANSFORMS", "realdeg.datasets")
DATA_SAMPLERS = _child("sampler", "DATA_SAMPLERS", "realdeg.datasets")
METRICS = _child("metric", "METRICS", "realdeg.evaluation")
HOOKS = _child("hook", "HOOKS", "realdeg.engine")
LOOPS = _child("loop", "LOOPS", "realdeg.engine")
OPTIM_WRAPPERS = _child("optimizer wrapper", "OPTIM_WRAPPERS", "realdeg.engine")

_plugins_loaded = False


def load_plugins() -> list[str]:
    """Import every installed plugin of the ``realdeg.plugins`` entry-point group, once.

    A plugin that fails is named in a warning and does not affect others.

    Returns:
        The names of the plugins loaded by this call.
    """
    global _plugins_loaded
    if _plugins_loaded:
        return []
    _plugins_loaded = True
    loaded = []
    for entry in entry_points(group=PLUGIN_GROUP):
        try:
            entry.load()
        # Third-party modules may raise anything, including SystemExit.
        except (Exception, SystemExit) as error:
            warnings.warn(
                f"the realdeg plugin '{entry.name}' ({entry.value}) failed to load and is left"
                f" out: {type(error).__name__}: {error}",
                stacklevel=2,
            )
        else:
            loaded.append(entry.name)
    return loaded


def _list(registry: Registry) -> list[str]:
    load_plugins()
    return registry.names()


def list_degradations() -> list[str]:
    """Return the names of all registered degradations."""
    return _list(DEGRADATIONS)


def list_estimators() -> list[str]:
    """Return the names of all registered estimators of blur kernels."""
    return _list(ESTIMATORS)


def list_backbones() -> list[str]:
    """Return the names of all registered super-resolution backbones."""
    return _list(BACKBONES)


def list_zero_shot() -> list[str]:
    """Return the names of all registered methods that learn from the image itself."""
    return _list(ZERO_SHOT)


def list_discriminators() -> list[str]:
    """Return the names of all registered discriminators."""
    return _list(DISCRIMINATORS)


def list_losses() -> list[str]:
    """Return the names of all registered losses."""
    return _list(LOSSES)


def list_datasets() -> list[str]:
    """Return the names of all registered data sets."""
    return _list(DATASETS)


def list_transforms() -> list[str]:
    """Return the names of all registered transforms."""
    return _list(TRANSFORMS)


def list_metrics() -> list[str]:
    """Return the names of all registered metrics."""
    return _list(METRICS)


def list_tasks() -> list[str]:
    """Return the names of all registered tasks."""
    return _list(TASKS)


def list_hooks() -> list[str]:
    """Return the names of all registered hooks."""
    return _list(HOOKS)
