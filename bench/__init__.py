"""What a request costs: CPU against a bare handler and stock Strawberry, and DynamoDB calls."""
