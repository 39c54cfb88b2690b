"""What requests and answers are, at both doors alike: headers, refusals, problems, repeats, bodies."""
