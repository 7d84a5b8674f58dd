#!/bin/bash
# The example workspace, built and run as its owner would: by a Bazel of its own, offline, with the `reheap` of this build.
#
# The inner Bazel has an output root of its own, so it meets neither the lock nor the files of the outer one; it builds
# nothing, since the workspace takes `reheap` prebuilt. Seconds, not minutes: a server starts, four small tests run.
set -euo pipefail

copy=$TEST_TMPDIR/reheap
mkdir -p "$copy/tools/build_deps" "$copy/tests"
cp -L tools/BUILD.bazel tools/*.bzl "$copy/tools/"
cp -L tools/build_deps/* "$copy/tools/build_deps/"
cp -rL tests/example_workspace "$copy/tests/"
echo 'workspace(name = "reheap")' > "$copy/WORKSPACE"
cd "$copy/tests/example_workspace"

export REHEAP=$TEST_SRCDIR/$TEST_WORKSPACE/tools/reheap
export HOME=$TEST_TMPDIR
inner() {
  # Not in a sandbox inside a sandbox.
  env -u XML_OUTPUT_FILE -u TEST_TMPDIR bazel --output_user_root="$HOME/bazel" --host_jvm_args=-Xmx512m --max_idle_secs=5 "$@"
}
trap 'inner shutdown' EXIT
test_all() {
  inner test //... --spawn_strategy=local --jobs=1 --test_output=errors --curses=no --color=no
}

test_all > first.log 2>&1 || { cat first.log; exit 1; }
grep -q 'Executed 4 out of 4 tests: 4 tests pass' first.log || { cat first.log; exit 1; }
grep -q 'classname="shop.trace shop.budget.textproto"' bazel-testlogs/shop_budget_test/test.xml

# A budget that is too small fails, and says by how much.
sed -i 's/peak_rss: "12MiB"/peak_rss: "12KiB"/' shop.budget.textproto
if test_all > second.log 2>&1; then
  echo 'a budget of 12 KiB was kept' >&2
  cat second.log
  exit 1
fi
grep -q 'unlimited: peak RSS of .* above the budget of 12.0 KiB; reached at event' second.log || { cat second.log; exit 1; }
grep -q '3 tests pass' second.log || { cat second.log; exit 1; }
