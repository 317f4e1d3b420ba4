"""`realdeg report` from a source checkout; `--help` shows the options."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from realdeg.cli.main import run_tool  # noqa: E402

if __name__ == "__main__":
    run_tool("report")
