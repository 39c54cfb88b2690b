"""Wallets at another deployment: its orders here, ours there, and what the answers mean."""
