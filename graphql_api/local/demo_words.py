"""What the demo tenants' work is called."""

ACME_PROJECTS = (
    ("Gripper Mk III", "Third generation of the adaptive gripper, ready for series production."),
    ("Line 4 commissioning", "Bring the new assembly line from installation to full rate."),
    ("Vision retrofit", "Stereo cameras and inference boxes for arms already in the field."),
    ("Safety certification", "Evidence and tests for the functional safety assessment."),
    ("Customer portal", "Order status, manuals and spare parts in one place."),
    ("Battery swap station", "Unattended swap for the mobile base in under ninety seconds."),
    ("Firmware 8.0", "One update path for all controllers, signed and resumable."),
    ("Warehouse pilot", "Twelve units on site for a quarter, measured against manual picking."),
    ("Hiring 2027", "Plan and pipeline for the mechatronics and field teams."),
    ("Trade fair booth", "Live demonstration cell, logistics and press material."),
)
GLOBEX_PROJECTS = (
    ("Route planner rewrite", "Faster planning with time windows and driver preferences."),
    ("Cold chain tracking", "Temperature from dock to door, with alarms that reach somebody."),
    ("Hamburg hub move", "New cross-dock without a missed delivery day."),
    ("Carrier onboarding", "Contracts, interfaces and rates for forty regional carriers."),
    ("Customs automation", "Declarations from order data; people only for exceptions."),
    ("Fleet electrification", "Chargers, tariffs and routes for the first sixty vans."),
    ("Claims desk", "Photos, facts and settlement in one conversation."),
    ("Driver app 5", "Offline first, fewer taps, proof of delivery that holds."),
    ("Peak season", "Capacity, shifts and contingency from Black Friday to January."),
    ("Data platform", "One trusted set of shipment events for every team."),
)
VERBS = (
    "Agree on", "Automate", "Calibrate", "Clean up", "Document", "Draft", "Estimate", "Investigate",
    "Measure", "Migrate", "Order", "Prepare", "Prototype", "Replace", "Review", "Roll out", "Schedule",
    "Simplify", "Test", "Write",
)  # fmt: skip
OBJECTS = (
    "acceptance criteria", "access rights", "alarm thresholds", "change-over plan", "checklists",
    "connector supplier", "data retention rules", "error budget", "escalation path", "export format",
    "failure report", "hand-over guide", "import of legacy orders", "integration test", "label printer",
    "load profile", "maintenance window", "onboarding deck", "pilot feedback", "price list",
    "quarterly numbers", "release notes", "rollback procedure", "sensor wiring", "service contract",
    "shift calendar", "spare parts list", "status page", "training video", "weekly report",
)  # fmt: skip
DESCRIPTIONS = (
    "Needs a decision before the end of the month.",
    "See the notes of the last review; two open points remain.",
    "Small, but everything after it waits for this.",
    "Blocked twice already. Keep the scope to what we can finish in a week.",
    "Ask the field team first; they have done half of it.",
)
REMARKS = (
    "Done on my side, please have a look.",
    "Can we do this after the release?",
    "The numbers look better than expected.",
    "I talked to the supplier: two weeks.",
    "This also needs a line in the manual.",
    "Reproduced it on the test bench.",
    "Let us split this, it is two tasks.",
    "Waiting for access.",
    "Good enough for the pilot, not for series.",
    "Measured again this morning, same result.",
    "Who decides this?",
    "Moved the date with the customer's consent.",
)
