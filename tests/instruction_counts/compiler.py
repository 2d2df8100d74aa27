"""Tests that count, which the plugin's compiler is needed for."""

import shutil

import pytest

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler for the plugin")
