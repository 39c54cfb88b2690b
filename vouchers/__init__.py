"""Vouchers and wallets: exactly to the limit, exactly once, credited in the same transaction.

A voucher for 300 gives 300 redemptions to 300 different users, whatever races and whatever is killed. Each credits its
user's wallet once, by an immutable transfer; no balance changes without one. Late-comers are
refused by flags in memory.
"""
