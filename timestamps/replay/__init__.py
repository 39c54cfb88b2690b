"""Building a projection of the log beside the live one."""
