"""A tenant's beginning in a file and its end: export, import, erasure, and the jobs that do them."""
