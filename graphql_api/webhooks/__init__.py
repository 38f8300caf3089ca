"""Delivery to webhooks: from the change log, in order, to strangers' endpoints, until they take it."""
