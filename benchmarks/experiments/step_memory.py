"""Print the bytes that one training step of a form of SRResNet adds to a fresh process."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from supervised import norm_steps, paper_steps  # noqa: E402 (next to this file)
from timing import peak_bytes  # noqa: E402

if __name__ == "__main__":
    steps = {"norm": norm_steps, "paper": paper_steps}[sys.argv[1]]()
    print(peak_bytes(list(steps.values())[int(sys.argv[2])]))
