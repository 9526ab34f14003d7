"""What only the workflows in .github call: `python -m tools.workflows COMMAND --help`.

They decide what happens when, and with which rights. Whatever can be run and tested without
GitHub is here, or in a command that people use too.
"""

ENVIRONMENTS = ("dev", "staging", "prod")
"""The stacks that the workflows deploy, in the order in which a change reaches them."""
