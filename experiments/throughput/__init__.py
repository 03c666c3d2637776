"""The speed of our solvers and of others, and their share of a training.

`problem` has packets, potentials and their exact evolution, `teachers` our solvers on them, `peers`
those of others; `scaling` varies the sizes, and `trainings` times trainings.
"""
