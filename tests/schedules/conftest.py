"""make_golden.py needs torch, which the tests do not."""

collect_ignore = ["make_golden.py"]
