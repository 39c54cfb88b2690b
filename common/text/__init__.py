"""What people and programs send and files hold, read strictly and exactly."""
