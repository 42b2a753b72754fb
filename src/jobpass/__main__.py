"""``python -m jobpass`` and the ``jobpass`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:  # answered before anything else is imported: it must be quick
        from jobpass import __version__

        try:
            print(f"jobpass {__version__}", flush=True)  # noqa: T201
        except OSError as error:
            sys.exit(f"jobpass: {error.strerror}")
        return
    from jobpass.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
