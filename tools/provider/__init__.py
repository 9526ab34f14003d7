"""A stand-in for the published Kubernetes provider plugin, for the local cluster only.

`pulumi-resource-kubernetes` is published on Pulumi's own download site and in no package
registry. Where that site is out of reach, this package answers the engine in its place, so that
the whole project runs on the local cluster with the real engine. It serves the stack `local` and
the tests' stacks (`e2e-*`) on the local cluster's context and refuses everything else before it
sends a request: every other stack deserves the published plugin.

It does what the project needs, the way the published plugin does it: create with POST, update
with server-side apply, replace what is immutable, wait until workloads are ready and say why they
are not, notice edits on refresh. It leaves out Patch and List kinds, Helm, YAML and Kustomize
resources, functions, the schema (so `pulumi import` needs `--generate-code=false`), the renderer
to a directory, and waiting for kinds other than Pod, Deployment and Job.

Where it deliberately differs, it says more or refuses less: a preview fails on an object that
exists already, a misspelt field or a forbidden pod; what keeps a container from being ready is
told with its last lines; more immutable fields are replaced; and `up` repairs a hand edit that a
refresh has recorded, where the published plugin reports a conflict.

The story, file by file: `serve` talks to the engine, `plugin` answers it, `cluster` says whom it
serves, `objects` talks to the API server, `values` translates between the two, `diff` compares
(`quantities` by their amount), `immutable` decides what is replaced, `drift` reads what somebody
else changed, `apply` updates without overwriting others, `wait` waits, `reasons` says why
something is not ready.

See https://www.pulumi.com/docs/iac/build-with-pulumi/build-a-provider/.
"""
