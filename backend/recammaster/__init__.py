"""ReCamMaster (arXiv 2503.11647): the network, its weights and its sampling, on diffusers' Wan classes.

The engine is :mod:`.engine`; everything else can be used without it. Nothing is imported here, so that what needs no
torch can be had without.
"""
