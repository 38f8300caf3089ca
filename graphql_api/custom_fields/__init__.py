"""Custom fields: what a tenant adds to its tasks, the values, and the lists that they are filtered by."""
