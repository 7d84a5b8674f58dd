"""Local stand-ins for two repositories that Bazel 4 expects to download."""

_CC_RULES = [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "fdo_prefetch_hints",
    "fdo_profile",
    "objc_import",
    "objc_library",
]

def _rules_cc_stub_impl(ctx):
    """rules_cc whose rules are Bazel's own native ones."""
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", "")
    ctx.file("cc/BUILD.bazel", """
toolchain_type(name = "toolchain_type", visibility = ["//visibility:public"])
""")
    ctx.file("cc/defs.bzl", "\n".join(["%s = native.%s" % (r, r) for r in _CC_RULES]) + "\n")

rules_cc_stub = repository_rule(implementation = _rules_cc_stub_impl)

def _coverage_stub_impl(ctx):
    """The label that every cc_test names, whether or not coverage is asked for."""
    ctx.file("WORKSPACE", "")
    ctx.file("BUILD.bazel", """
filegroup(name = "coverage_report_generator", srcs = [], visibility = ["//visibility:public"])
""")

coverage_stub = repository_rule(implementation = _coverage_stub_impl)
