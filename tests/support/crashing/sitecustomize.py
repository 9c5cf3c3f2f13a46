"""Arm a crash point in a process of the chaos benchmark and in what it starts; Python imports this as it begins."""

import os

from tests.support import crashes

if place := os.environ.get(crashes.AT):
    crashes.arm(place)
if times := os.environ.get(crashes.FASTER):
    crashes.shorten(float(times))
