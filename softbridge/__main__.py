"""`python -m softbridge`, and `accelerate launch -m softbridge`."""

from softbridge.cli.main import main

if __name__ == "__main__":
    main()
