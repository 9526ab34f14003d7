"""What the manifests of a stack must hold to, with Pulumi's engine and without.

A rule is a function over manifests. `make policy` gives it what `make render` prints, and
`pulumi preview --policy-pack policy` what the engine registers.

The story, file by file: `model` says what a rule is, `manifests` finds pods and containers in
objects, `accounts` who may change pods. Then come the rules by subject, and `rules`, which lists
them. `judge` applies them and the stack's `waivers`, and `pack` is what the engine talks to.
"""
