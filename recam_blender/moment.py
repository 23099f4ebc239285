"""This moment as a job of one frame, for the live preview."""
