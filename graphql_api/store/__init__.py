"""The table: the only code that builds a key or speaks to DynamoDB."""
