"""What each process teaches: lessons against placebos, over all coalitions of processes."""
