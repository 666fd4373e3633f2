"""The mathematics: river-compatible estimators, usable alone, without an engine, a network or a clock."""
