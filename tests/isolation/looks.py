"""Where each planted bug showed first: looked for there first, most of them cost one lap of the walk."""

from typing import NamedTuple

CANARIES, INTERFERENCE = "canaries by walk", "interference by walk"


class Look(NamedTuple):
    """The suite that looks first, and the lap with which every suite begins."""

    suite: str = CANARIES
    lap: int = 0


# By mutant; the others show in the first lap, to the canaries.
LOOKS = {
    "mass_assignment": Look(lap=2),
    "tenant_from_a_header": Look(lap=1),
    "tenant_from_a_variable": Look(lap=1),
    "tenant_kept_for_the_process": Look(lap=1),
    "answers_kept_by_their_url": Look(lap=5),
    "memberships_kept_by_subject": Look(lap=5),
    "variables_kept_with_the_document": Look(lap=4),
    "idempotency_without_the_tenant": Look(lap=3),
    "idempotency_without_the_user": Look(lap=3),
    "emails_unique_among_all": Look(INTERFERENCE),
    "project_names_unique_among_all": Look(INTERFERENCE),
    "positions_from_one_counter": Look(INTERFERENCE, 1),
    "one_quota_for_all": Look(INTERFERENCE),
    "groups_kept_without_the_tenant": Look(INTERFERENCE),
    "rows_found_by_topic_alone": Look(lap=1),
    "fan_out_for_the_first_tenant": Look(lap=1),
    "reads_shared_by_all_deliveries": Look(lap=1),
    "answers_kept_by_change": Look(lap=3),
    "tenant_from_the_first_message": Look(lap=1),
    "tenant_from_a_later_message": Look(lap=1),
    "the_pongs_place_is_the_last_ones": Look(lap=1),
    "history_by_the_record_alone": Look(INTERFERENCE),
    "history_of_the_ids_family": Look(lap=6),
    "replay_of_the_first_log": Look(INTERFERENCE, 2),
}
