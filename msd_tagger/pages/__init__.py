"""What HTML pages and figures look like."""
