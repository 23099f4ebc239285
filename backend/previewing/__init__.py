"""What can be told of a take before it is made, quickly: the answers are the messages of :mod:`backend.foresight`.

Beside that, what becomes of takes that nobody wants. Nothing is imported here: what is asked for first is not to wait
for the rest.
"""
