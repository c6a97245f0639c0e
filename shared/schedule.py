"""What a schedule's command says of itself: agreed between those who schedule and those who run."""

from typing import Final

# EventBridge Scheduler puts the slot's time in its place; an emulator sends it as it is.
SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
TRIGGER: Final = "schedule:"  # what the trigger of a schedule's run begins with; its name follows
