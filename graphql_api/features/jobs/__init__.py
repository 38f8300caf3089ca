"""Long work on a whole tenant, its export and its erasure: jobs that go on when the request is answered."""

from graphql_api.feature import Feature
from graphql_api.features.jobs.mutations import JobMutation
from graphql_api.features.jobs.queries import JobQuery

FEATURE = Feature(query=JobQuery, mutation=JobMutation)
