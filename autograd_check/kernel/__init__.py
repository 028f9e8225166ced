"""Functions that know one precision, judged in it: against a definition in float64, or by differences as large as they bend."""
