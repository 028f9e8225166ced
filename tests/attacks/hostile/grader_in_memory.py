"""Searches its memory for the grader's objects."""


def attack():
    import gc

    names = {"Zygote", "Isolated", "LessonRecord", "Finding", "CourseLesson", "Lesson", "Layer", "Session_", "Point"}
    held = {type(thing).__name__ for thing in gc.get_objects()}
    return sorted(held & (names - {"Point"}))
