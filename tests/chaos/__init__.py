"""``make chaos``: promises kept while parts of a real stack are killed at random moments.

A scenario brings load and, afterwards, its verdicts; stack, kills and printing are shared.
"""
