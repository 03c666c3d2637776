"""What an error costs: emulators and solvers compared."""
