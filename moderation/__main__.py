"""``python -m moderation``: the same program as ``moderation``."""

from moderation.cli import main

main()
