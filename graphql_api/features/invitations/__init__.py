"""Invitations: how somebody becomes a member, with a token that is good once."""

import strawberry

from graphql_api.feature import Feature
from graphql_api.features.invitations.accepting import AcceptingMutation
from graphql_api.features.invitations.inviting import InvitingMutation


@strawberry.type
class InvitationMutation(InvitingMutation, AcceptingMutation):
    pass


FEATURE = Feature(mutation=InvitationMutation)
