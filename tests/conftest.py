"""What holds for every test: generated cases are not timed, and a failure prints the line that repeats it."""

from hypothesis import settings

settings.register_profile("hubctl", parent=settings(), deadline=None, print_blob=True)
settings.load_profile("hubctl")
