"""Money: the ledger and wallets here, and the outbox for those of another deployment."""
