"""Money: the ledger and wallets here, and orders for those of another deployment."""
