"""What an operation may cost, and what it does cost."""
