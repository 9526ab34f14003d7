"""What the manifests of a stack must hold to, with Pulumi's engine and without.

A rule is a function over manifests. `make policy` gives it what `make render` prints, and
`pulumi preview --policy-pack policy` what the engine registers: the verdicts are the same.

The story, file by file: `model` says what a rule is, `manifests` finds pods and containers in
objects, the files after it hold the rules by subject, `rules` lists all of them, `judge` applies
them and the stack's `waivers`, `pack` is what the engine talks to.
"""
