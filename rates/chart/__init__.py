"""A lane over time as people see it: a page of the admin with a chart and the same figures as a table."""
