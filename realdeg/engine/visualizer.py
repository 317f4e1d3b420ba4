"""mmengine's visualizer without its start-up cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mmengine.registry import VISUALIZERS
from mmengine.visualization import Visualizer

from realdeg.utils.mmengine_internals import make_figure, overrides_internals


@VISUALIZERS.register_module()
@overrides_internals
class LazyVisualizer(Visualizer):
    """A visualizer that makes its matplotlib figure only when something is drawn.

    mmengine makes the figure in the constructor, which takes most of a second in every run.

    Args:
        name: Its name in this process.
        **kwargs: As for mmengine's Visualizer.
    """

    def __init__(self, name: str = "visualizer", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        # Absent until __getattr__ makes them.
        for name in ("fig_save_canvas", "fig_save", "ax_save", "dpi"):
            self.__dict__.pop(name, None)

    def make_figure(self, fig_cfg: dict[str, Any]) -> tuple[Any, Any, Any]:
        """Return placeholders; the visualizer keeps ``fig_cfg`` until something is drawn."""
        return None, SimpleNamespace(get_dpi=lambda: None), None

    def __getattr__(self, name: str) -> Any:
        if name not in ("fig_save_canvas", "fig_save", "ax_save", "dpi"):
            raise AttributeError(f"'{type(self).__name__}' has no attribute '{name}'")
        self.fig_save_canvas, self.fig_save, self.ax_save = make_figure(self, self.fig_save_cfg)
        self.dpi = self.fig_save.get_dpi()
        return self.__dict__[name]
