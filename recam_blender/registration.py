# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender is told of when the add-on is switched on and off."""


def register() -> None:
    """Make ReCam's operators, panels and properties known to Blender."""


def unregister() -> None:
    """Take them back, last first."""
