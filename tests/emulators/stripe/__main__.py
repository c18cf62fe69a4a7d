"""`python -m tests.emulators.stripe --port N`."""

from tests.emulators.base import main
from tests.emulators.stripe.server import StripeEmulator

main(StripeEmulator)
