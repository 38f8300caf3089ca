"""Tasks: the work itself, its place on the board and in everybody's agenda."""

from graphql_api.feature import Feature
from graphql_api.features.tasks.mutations import TaskMutation
from graphql_api.features.tasks.queries import TaskQuery
from graphql_api.features.tasks.subscriptions import TaskSubscription
from graphql_api.features.tasks.task import Task

FEATURE = Feature(nodes=(Task,), query=TaskQuery, mutation=TaskMutation, subscription=TaskSubscription)
