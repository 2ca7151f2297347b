"""What each operation does: takes the caller and plain values, returns plain records. Async."""
