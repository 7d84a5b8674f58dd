"""replay_test: a trace against a budget as a Bazel test, in reheap's workspace or in yours.

    load("@reheap//tools:replay_test.bzl", "replay_test")

    replay_test(
        name = "shop_under_4g",
        trace = "shop.trace",
        strategy = "go-1.11-sparse",
        platform = "linux-amd64",
        limit = "4GiB",
        budget = {"peak_rss": "512MiB", "peak_vmas": "100"},
    )

The test runs `reheap check` on a modelled OS: the same answer on every machine, so Bazel may cache it and run it
anywhere. Each row of the budget is a test case of test.xml. Fields: proto/budget.proto. A workspace to copy:
tests/example_workspace.
"""

# Fields of BudgetFigures that are sizes: words in quotes.
_SIZES = ["peak_rss", "peak_vsize", "peak_commit", "tables", "page_map_resident"]

def _figures(group, figures, quoted):
    if not figures:
        return []
    fields = []
    for name, value in figures.items():
        fields.append("    %s: %s" % (name, repr(str(value)) if name in quoted else str(value)))
    return ["  %s {" % group] + fields + ["  }"]

def _limits(limit):
    limits = {"address": limit} if type(limit) == "string" else limit
    fields = []
    for name, value in limits.items():
        number = name in ["overcommit", "max_map_count"]
        fields.append("    %s: %s" % (name, str(value) if number else repr(str(value))))
    return ["  limits {"] + fields + ["  }"]

def _budget_text(name, strategy, platform, limit, touch, image, must, rule, budget, of_baseline):
    lines = ["row {", "  name: %r" % name, "  strategy: %r" % strategy, "  platform: %r" % platform]
    if limit:
        lines += _limits(limit)
    for field, value in [("touch", touch), ("image", image), ("rule", rule)]:
        if value:
            lines.append("  %s: %r" % (field, value))
    lines += ["  outcome: " + outcome for outcome in must]
    lines += _figures("at_most", budget, _SIZES) + _figures("of_baseline", of_baseline, [])
    return "\n".join(lines + ["}", ""])

def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"

def _replay_test_impl(ctx):
    budget = ctx.file.budget_file
    if not budget:
        budget = ctx.actions.declare_file(ctx.label.name + ".budget.textproto")
        ctx.actions.write(budget, ctx.attr.budget_text)
    arguments = [ctx.executable.reheap.short_path, "check", ctx.file.trace.short_path]
    arguments += ["--budget", budget.short_path, "--quiet"]
    files = [ctx.executable.reheap, ctx.file.trace, budget] + ctx.files.data
    if ctx.file.baseline:
        arguments += ["--baseline", ctx.file.baseline.short_path]
        files.append(ctx.file.baseline)
    script = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(
        script,
        "#!/bin/sh\nexec %s ${XML_OUTPUT_FILE:+--junit \"$XML_OUTPUT_FILE\"}\n" % " ".join([_quoted(a) for a in arguments]),
        is_executable = True,
    )
    runfiles = ctx.runfiles(files = files).merge(ctx.attr.reheap[DefaultInfo].default_runfiles)
    return [DefaultInfo(executable = script, runfiles = runfiles)]

_replay_test = rule(
    implementation = _replay_test_impl,
    attrs = {
        "baseline": attr.label(allow_single_file = True),
        "budget_file": attr.label(allow_single_file = True),
        "budget_text": attr.string(),
        "data": attr.label_list(allow_files = True),
        "reheap": attr.label(mandatory = True, executable = True, allow_files = True, cfg = "target"),
        "trace": attr.label(mandatory = True, allow_single_file = True),
    },
    test = True,
)

def replay_test(
        name,
        trace,
        strategy = None,
        platform = None,
        limit = None,
        budget = None,
        must = [],
        rule = None,
        touch = None,
        image = None,
        of_baseline = None,
        baseline = None,
        budget_file = None,
        reheap = "@reheap//tools:reheap",
        **kwargs):
    """Replays `trace` and fails when it costs more than it may.

    Args:
      name: of the test, and of its one test case.
      trace: label of the trace.
      strategy: a name of `reheap strategy list`.
      platform: a name of `reheap platform list`.
      limit: RLIMIT_AS as a size ("4GiB"), or a dict of fields of BudgetLimits ({"data": "1GiB", "overcommit": "2"}).
      budget: dict of fields of BudgetFigures: {"peak_rss": "512MiB", "loads_per_lookup": "1"}.
      must: outcomes of which one must come; none: SURVIVED.
      rule: by which rule the program must be refused, where `must` has it die: "RLIMIT_AS".
      touch: "full" (none means it) or "none".
      image: a named image to start from; none: the trace's own mappings.
      of_baseline: dict of fields of BudgetRatios: {"peak_rss": "1.05"}; needs `baseline`.
      baseline: label of an earlier result.
      budget_file: label of a whole budget, instead of everything from `strategy` to `of_baseline`.
      reheap: label of the command, built or prebuilt (reheap_prebuilt.bzl).
      **kwargs: of every test: size, tags, data (what a budget_file names beside itself), ...
    """
    parts = [strategy, platform, limit, budget, rule, touch, image, of_baseline] + must
    if budget_file and [part for part in parts if part]:
        fail("replay_test %s: budget_file says it all; leave out strategy to of_baseline" % name)
    if not budget_file and not (strategy and platform):
        fail("replay_test %s: strategy and platform, or a budget_file, are missing" % name)
    text = "" if budget_file else _budget_text(
        name,
        strategy,
        platform,
        limit,
        touch,
        image,
        must,
        rule,
        budget,
        of_baseline,
    )
    _replay_test(
        name = name,
        trace = trace,
        budget_text = text,
        budget_file = budget_file,
        baseline = baseline,
        reheap = reheap,
        size = kwargs.pop("size", "small"),
        **kwargs
    )
