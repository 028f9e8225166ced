"""From a submission and a lesson to a record: which checks a task gets, what is known to go wrong, and the score."""
