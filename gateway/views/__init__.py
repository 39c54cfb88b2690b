"""What views of DRF, pages of the admin and Django's settings take from the gateway."""
