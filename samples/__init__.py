"""The sample: a scene that is built from a seed, its clips, and the demo that re-shoots them."""
