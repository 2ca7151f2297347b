"""Things are killed at random moments; afterwards no acknowledged payment is missing and none is there twice."""
