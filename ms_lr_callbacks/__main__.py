"""``python -m ms_lr_callbacks``: see :mod:`ms_lr_callbacks.cli`."""
from __future__ import annotations

import sys

from ms_lr_callbacks.cli import main

if __name__ == "__main__":
    sys.exit(main())
