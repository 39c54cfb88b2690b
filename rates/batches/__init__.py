"""Tens of thousands of prices in one request, applied by workers.

A batch is stored whole before it is accepted, cut into chunks. A worker applies a chunk's prices, notes what became of
its rows and marks it done in one transaction, so killing workers loses and doubles nothing: every row has one outcome.
"""
