"""What refuses late-comers and guessers before they reach the database."""
