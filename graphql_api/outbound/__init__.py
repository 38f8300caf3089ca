"""Requests to servers of strangers: which may be called, and how a call is signed and made."""
