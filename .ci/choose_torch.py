"""Print the torch requirement that ``make`` installs when TORCH is not given.

``choose_torch.py oldest`` prints that of the oldest release that setup.cfg allows.

torch from a public index carries gigabytes of CUDA libraries on Linux. On a machine without an
NVIDIA driver the newest CPU build is taken instead, where the indexes that pip is configured with
offer one for this Python; no index is added. Otherwise plain ``torch``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

OLDEST = (2, 6)


def cpu_build(versions: str, only: tuple[int, int] | None = None) -> str | None:
    """Return the newest ``x.y.z+cpu`` that is new enough in pip's list of versions.

    Args:
        versions: What ``pip index versions torch`` prints.
        only: A release, such as (2, 6), of which the newest is wanted.
    """
    found = re.findall(r"\b(\d+)\.(\d+)\.(\d+)\+cpu\b", versions)
    numbers = [tuple(map(int, one)) for one in found]
    fitting = [one for one in numbers if one >= OLDEST and only in (None, one[:2])]
    return ".".join(map(str, max(fitting))) + "+cpu" if fitting else None


def main(which: str = "newest") -> None:
    only = OLDEST if which == "oldest" else None
    choice = None
    if sys.platform == "linux" and shutil.which("nvidia-smi") is None:
        command = [sys.executable, "-m", "pip", "index", "versions", "torch"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        choice = cpu_build(answer.stdout, only)
    released = f"torch=={OLDEST[0]}.{OLDEST[1]}.*" if only else "torch"
    print(f"torch=={choice}" if choice else released)


if __name__ == "__main__":
    main(*sys.argv[1:2])
