"""Re-annotation by listening (section III-B): subsets, a page to answer on, answers."""
