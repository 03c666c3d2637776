"""The study of students with different built-in physics, at equal training time."""
