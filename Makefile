# The few commands worth remembering. README.md says what each does.

STACK ?= local
CONTEXT ?=
YES ?=
EXPECT_NO_CHANGES ?=
OUT ?=
SECRETS ?=
FORMAT ?=
BASE ?=
FILE ?=
COMMIT ?=
PARTS ?=

INSTALL = python3 tools/toolchain.py
TOOLS = .venv/bin/python -m tools
WORKFLOWS = .venv/bin/python -m tools.workflows
ACTIONLINT = $(shell python3 -c 'from tools.paths import built; print(built("actionlint"))')/actionlint
# The local stack needs the local cluster, all others only the engine.
GOAL = $(if $(filter local,$(STACK)),local,engine)
TARGET = --stack '$(STACK)' --context '$(CONTEXT)'
PACKAGE = --quiet --no-index --no-deps --no-build-isolation --upgrade --target .local/package .
ASSENT = $(if $(filter 1,$(YES)),--yes)

.PHONY: help up down preview drift recover verify render diff policy report env test lint unit docs \
	e2e e2e-long bench cluster-down cluster-status touched kubeconfig comment issue

help:
	@sed -n 's/^| `\(make [a-z][^`]*\)`[^|]* | \(.*\) |$$/\1\n    \2/p' README.md

up:
	@$(INSTALL) $(GOAL)
	@$(TOOLS) up $(TARGET) $(ASSENT)

down:
	@$(INSTALL) $(GOAL)
	@$(TOOLS) down $(TARGET) $(ASSENT)

preview:
	@$(INSTALL) $(GOAL)
	@$(TOOLS) preview $(TARGET) $(if $(filter 1,$(EXPECT_NO_CHANGES)),--expect-no-changes)

# make ends with 2 whatever the exit code: OUT tells a finding from a failure.
drift:
	@$(INSTALL) $(GOAL)
	@$(TOOLS) drift $(TARGET) --out '$(OUT)'

recover:
	@$(INSTALL) $(GOAL)
	@$(TOOLS) recover $(TARGET) $(ASSENT)

verify:
	@$(INSTALL) verify
	@$(TOOLS) verify $(TARGET) --format '$(or $(FORMAT),table)'

render:
	@$(INSTALL) python
	@$(TOOLS) render --stack '$(STACK)' --out '$(OUT)' $(if $(filter 1,$(SECRETS)),--secrets)

diff:
	@$(INSTALL) python
	@$(TOOLS) diff --base '$(BASE)' --format '$(or $(FORMAT),text)'

policy:
	@$(INSTALL) python
	@$(TOOLS) policy --stack '$(STACK)' --format '$(or $(FORMAT),text)'

report:
	@$(INSTALL) python
	@$(TOOLS) report --stack '$(STACK)' --out '$(OUT)' --format '$(FORMAT)'

env:
	@$(INSTALL) $(GOAL)
	@$(TOOLS) env --stack '$(STACK)'

cluster-down:
	@$(INSTALL) python
	@$(TOOLS) cluster-down

cluster-status:
	@$(INSTALL) python
	@$(TOOLS) cluster-status

test: lint unit

# The examples import the package as others have it.
lint:
	@$(INSTALL) test
	.venv/bin/pip install $(PACKAGE)
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/basedpyright --level error
	$(ACTIONLINT) -shellcheck .venv/bin/shellcheck -pyflakes ''
	.venv/bin/zizmor --offline --persona auditor --quiet .github

# Scripts are tried in real time: most tests wait more than they work.
unit:
	@$(INSTALL) test
	.venv/bin/python -m pytest -q -n 3 tests/unit

docs:
	@$(INSTALL) docs
	@$(TOOLS) docs

e2e:
	@$(INSTALL) e2e
	.venv/bin/python -m pytest -q -n 3 --dist loadgroup -m 'not long and not alone' tests/cluster

# First what can run side by side, in the order of the files: the longest test is none of the
# last. Then what disturbs the cluster itself.
e2e-long:
	@$(INSTALL) e2e
	.venv/bin/python -m pytest -q -n 3 --dist loadgroup --no-loadscope-reorder -m 'long and not alone' tests/cluster
	.venv/bin/python -m pytest -q -m alone tests/cluster

# Takes an hour and a half on a machine that does nothing else.
bench:
	@$(INSTALL) bench
	.venv/bin/python -m tests.bench $(PARTS)

# What only the workflows in .github call.
touched:
	@$(INSTALL) python
	@$(WORKFLOWS) touched --base '$(BASE)'

kubeconfig:
	@$(INSTALL) python
	@$(WORKFLOWS) kubeconfig

comment:
	@$(INSTALL) python
	@$(WORKFLOWS) comment --commit '$(COMMIT)' --file '$(FILE)'

issue:
	@$(INSTALL) python
	@$(WORKFLOWS) issue --stack '$(STACK)' --file '$(FILE)'
