"""What happens that is no change of data: who was refused, administered, came and went; and signed heads."""
