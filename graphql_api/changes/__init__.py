"""The change log: what a Change is, how it is appended exactly once, read and verified."""
