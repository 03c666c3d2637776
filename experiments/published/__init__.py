"""The paper's own training: its network, its data and its optimiser, as published."""
