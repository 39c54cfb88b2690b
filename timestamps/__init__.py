"""Timestamps: an append-only log of instants is the golden record, and the database a copy of it that may be lost.

Commands append to the log and answer with an id when it is on disk. A consumer projects the log into a table, whose
position moves in the same transaction. A read of an id that was handed out finds it in one or the other, always.
"""
