"""Vouchers under attack: each is redeemed exactly to its limit, nobody twice, and every wallet is credited once."""
