"""Fixtures that several tests share."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    """A helper beside this file; tests are not a package, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location(f"_tests_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def canaries() -> ModuleType:
    """tests/canaries.py: planted personal data, and `assert_no_canary(folder)`."""
    return _load("canaries")


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """tests/reference.py: what the stages should find, written slowly and plainly."""
    return _load("reference")


@pytest.fixture(scope="session")
def shop() -> ModuleType:
    """tests/shop.py: a small fictional shop's workspace, and `run` for the command line."""
    return _load("shop")
