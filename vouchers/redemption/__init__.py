"""Redeeming, and taking it back."""
