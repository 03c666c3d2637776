"""What an emulator learned: symmetries, waves, interventions, importance of lessons, design."""
