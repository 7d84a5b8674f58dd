"""reheap_prebuilt: a repository with a `reheap` that is built already, for workspaces that do not want to build it.

    reheap_prebuilt(name = "reheap", path = "/opt/reheap/bin/reheap")

has @reheap//tools:reheap and @reheap//tools:replay_test.bzl, as reheap's own workspace has. Without `path` it is
$REHEAP, else the `reheap` on $PATH. The command is one file: recorder, platforms and strategies are inside it.
"""

_BUILD = """
exports_files(["replay_test.bzl"])

sh_binary(
    name = "reheap",
    srcs = ["reheap_command"],
    visibility = ["//visibility:public"],
)
"""

def _reheap_prebuilt_impl(ctx):
    path = ctx.attr.path or ctx.os.environ.get("REHEAP")
    command = ctx.path(path) if path else ctx.which("reheap")
    if not command or not command.exists:
        fail("reheap_prebuilt: there is no %s; give `path`, set REHEAP, or put reheap on PATH" % (path or "reheap on PATH"))
    ctx.symlink(command, "tools/reheap_command")
    ctx.symlink(ctx.attr._replay_test, "tools/replay_test.bzl")
    ctx.file("tools/BUILD.bazel", _BUILD)
    ctx.file("WORKSPACE", "workspace(name = %r)\n" % ctx.name)

reheap_prebuilt = repository_rule(
    implementation = _reheap_prebuilt_impl,
    attrs = {
        "path": attr.string(),
        "_replay_test": attr.label(default = "//tools:replay_test.bzl"),
    },
    environ = ["REHEAP", "PATH"],
    local = True,
)
