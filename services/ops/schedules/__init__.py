"""Schedules: runs that EventBridge Scheduler starts."""
