"""How often one client may ask, over all processes.

Counting is GCRA: a client's state is one instant, at which it will have paid for all that it was admitted. It may be up
to WINDOW_SECONDS ahead of now, which is the burst: one second's worth.
"""
