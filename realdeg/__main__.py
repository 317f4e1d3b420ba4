"""``python -m realdeg``, where the ``realdeg`` command is not on the path."""

import sys

from realdeg.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
