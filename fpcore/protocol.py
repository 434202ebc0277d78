"""`python -m fpcore.protocol`: the published protocols, timed."""

from argparse import ArgumentParser

from fpcore.errors import run


def main() -> int:
    """Time the protocols where nothing else is asked for."""
    ArgumentParser(
        prog="python -m fpcore.protocol",
        description="Time phase 1 and phase 2 at the published run's sizes (work for a GPU), and "
        "write reports/benchmark-gpu.md.",
    ).parse_args()
    from fpcore.benchmark import protocol  # it loads torch

    return protocol.main()


if __name__ == "__main__":
    run(main)
