"""`python -m marscore` and the `marscore` command."""

from marscore.adapters.terminal import occupy_standard_descriptors
from marscore.cli.main import cli


def main() -> None:
    """Run the command line and exit with its code."""
    occupy_standard_descriptors()
    cli(prog_name="marscore")


if __name__ == "__main__":
    main()
