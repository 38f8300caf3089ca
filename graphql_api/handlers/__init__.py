"""The Lambda doors: one file for each function, each exporting `handler(event, context)`."""
