"""The study of error against cost: emulators, solvers and non-learned baselines."""
