"""Building a table of records from the log beside the live one."""
