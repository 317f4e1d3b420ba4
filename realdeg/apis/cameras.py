"""Load cameras that ship with realdeg, by name."""

from __future__ import annotations

from realdeg.apis.create import create_degradation
from realdeg.degradations.base import Degradation
from realdeg.degradations.containers import Container, leaves_grid
from realdeg.errors import ConfigError, nearest
from realdeg.utils.cameras import RESEARCH, camera_file, find_cameras, is_camera


def list_cameras() -> list[str]:
    """Return the names of all cameras that are here.

    Those in the package; in a checkout of the repository those of ``cameras/research``; and those
    in the folders that the environment variable ``REALDEG_CAMERAS`` names.

    Example:
        >>> import realdeg
        >>> all("-" in name for name in realdeg.list_cameras())
        True
    """
    return list(find_cameras())


def load_camera(
    name: str, *, scale: float | None = None, same_size: bool | None = None, noise: bool = True
) -> Degradation:
    """Load a learned camera by name, ready to degrade; docs/cameras.md describes each.

    Args:
        name: Of :func:`list_cameras`, such as ``"city100-iphonex-x4"``.
        scale: The scale that it must have; None accepts its own.
        same_size: Whether LR must lie on the HR grid; None accepts its own geometry.
        noise: Whether the camera's noise is added; without it the result is what was learned alone.

    Returns:
        The degradation, frozen and in evaluation mode.

    Raises:
        ConfigError: If there is no such camera, it is not here, or the name stands for two things.
        CheckpointError: If its file is damaged.
        GeometryError: If it has another scale or grid.

    Example:
        >>> import realdeg
        >>> camera = realdeg.load_camera("city100-iphonex-x4")  # doctest: +SKIP
    """
    if not is_camera(name):
        known = list_cameras()
        raise ConfigError(
            f"there is no camera '{name}': here are {', '.join(known) or 'none'}."
            f"{nearest(str(name), [*known, *RESEARCH])}"
        )
    camera = create_degradation(camera_file(name), scale, same_size, trained=True)
    if not noise:
        parts = camera.members() if isinstance(camera, Container) else [camera]
        kept = [part for part in parts if not leaves_grid(part)]
        if len(kept) == 1:
            return kept[0]
    return camera
