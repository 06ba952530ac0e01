"""`python -m spikepool`: the command line, where the script is not on the path."""

from spikepool.cli.app import main

if __name__ == "__main__":
    main()
