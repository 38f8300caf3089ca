"""The protocol, case by case: the reference server beside ours, and why they differ where they do.

Ours cannot send close codes: what stands for them is `connection_error`, and then 1000 (docs/realtime.md).
"""

from tests.protocol.cases.beating import BEATING
from tests.protocol.cases.executing import EXECUTING
from tests.protocol.cases.gateway import BY_GATEWAY
from tests.protocol.cases.identifying import IDENTIFYING
from tests.protocol.cases.initialising import INITIALISING
from tests.protocol.cases.malformed import MALFORMED

TABLE = [*INITIALISING, *BEATING, *IDENTIFYING, *EXECUTING, *MALFORMED, *BY_GATEWAY]
