"""Counters under attack: nothing that was acknowledged is lost or counted twice, and no read goes down."""
