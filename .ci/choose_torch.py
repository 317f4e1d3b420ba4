"""Print the torch requirement that ``make`` installs when TORCH is not given.

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


def cpu_build(versions: str) -> str | None:
    """Return the newest ``x.y.z+cpu`` that is new enough in pip's list of versions."""
    found = re.findall(r"\b(\d+)\.(\d+)\.(\d+)\+cpu\b", versions)
    newest = max((tuple(map(int, one)) for one in found), default=(0, 0, 0))
    return ".".join(map(str, newest)) + "+cpu" if newest >= OLDEST else None


def main() -> None:
    choice = None
    if sys.platform == "linux" and shutil.which("nvidia-smi") is None:
        command = [sys.executable, "-m", "pip", "index", "versions", "torch"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        choice = cpu_build(answer.stdout)
    print(f"torch=={choice}" if choice else "torch")


if __name__ == "__main__":
    main()
