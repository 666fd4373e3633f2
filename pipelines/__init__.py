"""Stages as pure functions on Arrow, their engine bindings, settings and the command line."""
