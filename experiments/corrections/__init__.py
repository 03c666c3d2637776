"""The Takahashi-Imada correction in learned splittings: trainings, null models, measurements."""
