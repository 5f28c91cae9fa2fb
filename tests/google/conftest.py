"""Fixtures of the emulator's tests."""

from rehearsal.google.testing import emulator, secure_emulator

__all__ = ["emulator", "secure_emulator"]
