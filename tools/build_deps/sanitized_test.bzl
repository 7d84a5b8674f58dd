"""sanitized_test: an existing cc_test, rebuilt under sanitizers and run, in the same `bazel test //...`.

    sanitized_test(name = "x_asan_ubsan_test", test = ":x_test", sanitizer = "asan_ubsan")

A configuration transition adds the compiler's flags for the test and all that it links; system libraries stay as
Debian built them, so keep "tsan" to tests whose threads do not meet inside those. The program sees
REHEAP_SANITIZER, so that it can tell which build it is.
"""

# -O1, as the sanitizers' authors advise: page_tree_test compiles in 11 s instead of 18, and stacks stay readable.
_COMMON = ["-O1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]

# sanitizer -> (flags for compiler and linker, options that make a finding end the program)
_SANITIZERS = {
    "asan_ubsan": (
        ["-fsanitize=address,undefined"],
        {
            "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        },
    ),
    # For tests that use addresses where AddressSanitizer has its shadow.
    "ubsan": (
        ["-fsanitize=undefined"],
        {"UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"},
    ),
    "tsan": (
        ["-fsanitize=thread"],
        {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"},
    ),
}

_COPT = "//command_line_option:copt"
_LINKOPT = "//command_line_option:linkopt"

def _transition_impl(settings, attr):
    flags, _ = _SANITIZERS[attr.sanitizer]
    return {
        _COPT: settings[_COPT] + flags + _COMMON,
        _LINKOPT: settings[_LINKOPT] + flags,
    }

_sanitizer_transition = transition(
    implementation = _transition_impl,
    inputs = [_COPT, _LINKOPT],
    outputs = [_COPT, _LINKOPT],
)

def _sanitized_test_impl(ctx):
    test = ctx.attr.test[0]  # a transition makes a list of one
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = executable,
        target_file = test[DefaultInfo].files_to_run.executable,
        is_executable = True,
    )
    environment = dict(_SANITIZERS[ctx.attr.sanitizer][1])
    environment["REHEAP_SANITIZER"] = ctx.attr.sanitizer
    return [
        DefaultInfo(
            executable = executable,
            runfiles = ctx.runfiles().merge(test[DefaultInfo].default_runfiles),
        ),
        testing.TestEnvironment(environment),
    ]

sanitized_test = rule(
    implementation = _sanitized_test_impl,
    attrs = {
        "sanitizer": attr.string(mandatory = True, values = _SANITIZERS.keys()),
        "test": attr.label(mandatory = True, executable = True, cfg = _sanitizer_transition),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
    test = True,
)

def sanitized_tests(tests, sanitizer):
    """One sanitized_test for each label, named after its package and name: alloc_x_test_asan_ubsan_test.

    Args:
      tests: absolute labels of cc_tests that the calling package may see.
      sanitizer: "asan_ubsan", "ubsan" or "tsan".
    """
    for label in tests:
        name = label.lstrip("/").replace("/", "_").replace(":", "_").replace("-", "_")
        sanitized_test(
            name = "%s_%s_test" % (name, sanitizer),
            size = "medium",
            sanitizer = sanitizer,
            test = label,
        )
