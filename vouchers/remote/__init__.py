"""Wallets at another deployment: its outbox messages here, ours there, and what the replies mean."""
