"""The command line. ``main`` imports the commands when it is called."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code."""
    from seatrial.cli.app import main as run

    run(arguments)
