#!/usr/bin/env bash
# Does .ci/run tell success from failure? A copy of it runs beside a fake tools/bazel that leaves chosen results.
set -u
source_of_ci_run=$(dirname "$(readlink -f "$TEST_SRCDIR/$TEST_WORKSPACE/WORKSPACE")")/.ci/run
work=$(mktemp -d "$TEST_TMPDIR/ci.XXXXXX")
mkdir -p "$work/.ci" "$work/tools" "$work/testlogs"
cp "$source_of_ci_run" "$work/.ci/run" || exit 1
ln -s testlogs "$work/bazel-testlogs"
failures=0

# case NAME EXPECTED_STATUS EXPECTED_LAST_LINE: runs .ci/run with the fake bazel read from stdin.
case_of() {
  { echo '#!/usr/bin/env bash'; cat; } >"$work/tools/bazel"
  chmod +x "$work/tools/bazel"
  local output status last
  output=$(cd / && "$work/.ci/run" 2>&1 </dev/null)
  status=$?
  last=${output##*$'\n'}
  if [ "$status" -ne "$2" ] || [ "$last" != "$3" ]; then
    echo "FAILED $1: status $status, last line '$last'; expected $2, '$3'"
    failures=1
  fi
}

suite='mkdir -p bazel-testlogs/a/x; cat >bazel-testlogs/a/x/test.xml <<XML
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="5" failures="FAILS" disabled="1" errors="0" name="AllTests">
  <testsuite name="A" tests="3" failures="FAILS" disabled="1" skipped="0" errors="0" time="0.1">
    <testcase name="tests=&quot;9&quot;" status="run" />
  </testsuite>
  <testsuite name="B" tests="2" failures="0" disabled="0" skipped="1" errors="0" time="0.1">
  </testsuite>
</testsuites>
XML'

case_of good 0 '3 passed, 0 failed' <<<"${suite//FAILS/0}"
case_of failing_test 3 '1 passed, 2 failed' <<<"${suite//FAILS/2}
exit 3"
case_of failing_test_with_good_status 1 '2 passed, 1 failed' <<<"${suite//FAILS/1}"
case_of build_error_after_good_tests 1 '3 passed, 1 failed' <<<"${suite//FAILS/0}
exit 1"
# The result of the case before must not be counted.
case_of build_error_with_stale_results 1 '0 passed, 1 failed' <<<'exit 1'
case_of no_tests 1 '0 passed, 1 failed' <<<'exit 0'
case_of command_is_the_readmes 0 '1 passed, 0 failed' <<'FAKE'
[ "$*" = "test //..." ] && [ "$CI" = true ] || exit 9
mkdir -p bazel-testlogs/s
echo '  <testsuite name="s" tests="1" failures="0" errors="0">' >bazel-testlogs/s/test.xml
FAKE
case_of crashed_test 3 '0 passed, 1 failed' <<'FAKE'
mkdir -p bazel-testlogs/s
echo '<testsuite name="s" tests="1" failures="0" errors="1">' >bazel-testlogs/s/test.xml
exit 3
FAKE
exit "$failures"
