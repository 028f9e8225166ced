"""What is written about a class from its store: points, records, the summary. Nothing of it is ever read back."""
