"""Cameras and depth from the footage itself: where its camera went, what moves in it, how far its pixels are.

Poses, intrinsics and depth are in the conventions of :mod:`backend.contract`. What is heavy is imported by the
functions that need it.
"""
