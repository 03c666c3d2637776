"""A fuzz of every public function: one valid small call of each, and hostile arguments in it."""
