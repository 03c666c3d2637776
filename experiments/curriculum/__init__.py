"""Does a curriculum help, and how few runs of the teacher are enough?"""
