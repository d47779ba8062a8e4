"""Codes of the site's own licensed dictionaries (MedDRA, WHODrug) for what sites wrote.

It lives in `crf` and not in `review`: which items want a code, and what stands in them now,
only the engine knows (decisions H1). A code is no data of the form: it breaks no signature
and asks for no reason, but it stands only while the words it was given for stand.
"""
