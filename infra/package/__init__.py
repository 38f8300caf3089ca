"""The Lambda package: the product and its locked wheels as one zip, the same bytes on every run."""
