"""A multi-tenant work-tracking GraphQL API on AWS Lambda, API Gateway and DynamoDB."""

__version__ = "0.1.0"
