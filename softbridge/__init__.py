"""softbridge: learn soft prompts on a source domain, carry them over a bridge, optimise them on the target."""

__version__ = "0.1.0"
