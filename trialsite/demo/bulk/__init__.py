"""The demonstration many times over: SCALE=N holds its people N times.

The story is entered once, through the services people use. Every further copy is the trail of
the first read forward once more under other keys: each row, change and act in its order, at its
study time, on behalf of whoever did it, one statement for all copies. Every trigger, constraint
and policy is on, so what PostgreSQL refuses a person it refuses a copy
(`docs/adr/0013-the-demonstration-many-times-over.md`).

`covered` says what is copied, `numbering` which numbers copies carry, `retold` how a text is
told of a copy, `sealed` what signatures are bound to, `trail` what happened, `replay` lets it
happen, `beside` makes what the trail does not hold, `proof` compares each copy with its original.
"""
