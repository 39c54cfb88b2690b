"""Promotions: a CSV file of any size replaces the served data without a moment of downtime.

Every row of the source is accounted for, an import survives the death of any process, a file that fails its publish
checks never becomes visible, and no reader ever sees a mix of two versions or an error because of a publish.
"""
