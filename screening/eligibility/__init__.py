"""Whether a person may enter the study, and why: plain Python over protocol data and facts.

`engine.evaluate` judges, `frozen` keeps and re-runs a judgement, `words` says it to people;
only `words` knows Django.
"""
