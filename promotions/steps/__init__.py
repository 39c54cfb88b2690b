"""The work of an import, one resumable step after the other: plan, load, index, check."""
