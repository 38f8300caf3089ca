"""What requests and events cost: CPU against a bare handler, stock Strawberry and a peer, and DynamoDB calls."""
