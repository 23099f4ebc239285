"""ReCam's backend: what makes a take out of footage and a trajectory. Runs with no Blender installed."""

__version__ = "0.1.0"
