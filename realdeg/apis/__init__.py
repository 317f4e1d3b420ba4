"""What the commands do, as functions: arrays and folders in, arrays and folders out.

Most names stand at the top of ``realdeg``; the package's own are listed in ``__init__.pyi``.
"""

from realdeg.utils.lazy import lazy_package

__all__, __getattr__, __dir__ = lazy_package(__name__, __file__)
