"""What requests and events cost: CPU beside a bare handler, stock Strawberry and a peer; DynamoDB calls."""
