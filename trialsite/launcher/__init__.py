"""Starts, supervises and stops Trialsite on one machine; needs nothing but Python itself."""
