"""The product: one file or folder for each noun, registered here and nowhere else."""

from graphql_api.features import changes, comments, plans, projects, tasks, tenants, users, workflows

FEATURES = (
    tenants.FEATURE,
    users.FEATURE,
    workflows.FEATURE,
    projects.FEATURE,
    tasks.FEATURE,
    comments.FEATURE,
    changes.FEATURE,
    plans.FEATURE,
)
