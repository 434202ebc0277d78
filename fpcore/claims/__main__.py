"""Run the checker on a file: `python -m fpcore.claims FILE`."""

import sys

if __name__ == "__main__":
    try:
        from fpcore.claims.command import main
    except Exception as error:  # exit code 1 would look like a finding
        print(f"The checker cannot be loaded: {error!a}.", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
