"""Tables of records: what the log has, decoded, and what no table could take."""
