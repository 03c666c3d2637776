"""What an emulator learned."""
