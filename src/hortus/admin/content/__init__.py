"""What customers made: look at it, take it down."""
