"""`python -m marscore` and the `marscore` command."""

from marscore.cli.main import cli


def main() -> None:
    """Run the command line and exit with its code."""
    cli(prog_name="marscore")


if __name__ == "__main__":
    main()
