"""What an event costs that is pushed to many: executions, CPU, DynamoDB calls and bytes, and its latency."""
