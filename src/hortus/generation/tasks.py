"""Background work of this package."""

from hortus import tasks
from hortus.generation.run import give_up, run

# Longer than the deadlines inside, which normally end the work first.
RUN_TEXT = tasks.register(
    "generation.text", run, queue="interactive", time_limit=300, attempts=4, on_dead_letter=give_up
)
RUN_IMAGE = tasks.register("generation.image", run, queue="media", time_limit=600, attempts=4, on_dead_letter=give_up)
RUN_VIDEO = tasks.register("generation.video", run, queue="media", time_limit=1800, attempts=4, on_dead_letter=give_up)

RUN = {"text": RUN_TEXT, "chat": RUN_TEXT, "image": RUN_IMAGE, "video": RUN_VIDEO}
"""The task kind for each kind of generation."""
