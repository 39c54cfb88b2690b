"""Work that no request waits for: waking who does it, standing in, signs of life, clearing away."""
