"""The study of speed: solvers of this package and of others, and their share of a training.

`problem` has packets, potentials and their exact evolution; `teachers` has the solvers of this
package, `peers` those of others; `devices` shares a batch among devices; `scaling` varies
the sizes, and `trainings` times trainings.
"""
