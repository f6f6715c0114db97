"""A seeded venue day with a crash, made with the venue engine; and its story, told from the drafts."""

from replay.venue.demo.day import DEMO_DATE, DEMO_SEED, demo_day
from replay.venue.demo.story import (
    AnsweredCall,
    Deleveraging,
    DemoStory,
    PriceLow,
    ToldLiquidation,
    tell,
)

__all__ = [
    "DEMO_DATE",
    "DEMO_SEED",
    "AnsweredCall",
    "Deleveraging",
    "DemoStory",
    "PriceLow",
    "ToldLiquidation",
    "demo_day",
    "tell",
]
