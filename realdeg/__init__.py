"""realdeg: learn how a camera degrades images, and train super-resolution that holds up.

Names are imported when they are first used, so ``import realdeg`` costs no torch. They are listed
in ``__init__.pyi``.
"""

from realdeg.utils.lazy import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    __file__,
    former={
        "build_backbone": "realdeg:create_backbone",
        "build_degradation": "realdeg:create_degradation",
    },
)
