"""Who sends a request and what they may do: API keys, scopes, logins."""
