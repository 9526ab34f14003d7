"""Sidecar patterns as Pulumi components, one file a pattern."""
