"""The models that the engines need: which there are, where they lie, and how to get them."""
