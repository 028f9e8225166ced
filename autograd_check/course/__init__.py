"""Lessons as data: what a lesson asks, how its course is loaded, and the files that students get."""
