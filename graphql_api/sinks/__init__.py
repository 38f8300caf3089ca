"""Where the change log goes besides subscribers: S3, an event bus; and the daily signed heads."""
