"""Vouchers themselves: created one by one, from files or by generation, and their limits."""
