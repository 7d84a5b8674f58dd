#!/usr/bin/env bash
# Does .ci/run tell success from failure? A copy of it runs beside a fake tools/bazel that leaves chosen results.
set -u
ci_run=$(dirname "$(readlink -f "$TEST_SRCDIR/$TEST_WORKSPACE/WORKSPACE")")/.ci/run
work=$(mktemp -d "$TEST_TMPDIR/ci.XXXXXX")
mkdir -p "$work/.ci" "$work/tools" "$work/logs"
cp "$ci_run" "$work/.ci/run" || exit 1
failures=0

# What each fake bazel starts with: the arguments checked, and `result VERDICT XML`, which reports a test as Bazel's
# event file does (XML empty: the test has no file of cases).
cat >"$work/fake_bazel.sh" <<'FAKE'
[ "$1 $2" = 'test //...' ] && [ "$CI" = true ] || exit 9
events=${3#--build_event_json_file=}
count=0
result() {
  count=$((count + 1))
  local xml=$PWD/logs/$count/test.xml output=
  if [ -n "$2" ]; then
    mkdir -p "${xml%/*}"
    echo "$2" >"$xml"
    output=",{\"name\":\"test.xml\",\"uri\":\"file://$xml\"}"
  fi
  echo '{"id":{"targetCompleted":{"label":"//a:x"}},"completed":{"success":true}}' >>"$events"
  echo "{\"id\":{\"testResult\":{\"label\":\"//a:x\"}},\"testResult\":{\"testActionOutput\":[{\"name\":\"test.log\"}$output],\"status\":\"$1\"}}" >>"$events"
}
googletest() { # FAILURES in a suite of three, one of them disabled, and a suite of two, one of them skipped
  echo "<testsuites tests=\"5\" failures=\"$1\" disabled=\"1\" errors=\"0\" name=\"AllTests\">
  <testsuite name=\"A\" tests=\"3\" failures=\"$1\" disabled=\"1\" skipped=\"0\" errors=\"0\" time=\"0.1\">
    <testcase name=\"tests=&quot;9&quot;\" status=\"run\" />
  </testsuite>
  <testsuite name=\"B\" tests=\"2\" failures=\"0\" disabled=\"0\" skipped=\"1\" errors=\"0\" time=\"0.1\">
  </testsuite>
</testsuites>"
}
script() { # ERRORS, as Bazel writes it for tests that write nothing themselves
  echo "<testsuite name=\"s\" tests=\"1\" failures=\"0\" errors=\"$1\">"
}
FAKE

# case_of NAME STATUS LAST_LINE COMMANDS: .ci/run must end so when bazel does COMMANDS.
case_of() {
  { echo '#!/usr/bin/env bash'; cat "$work/fake_bazel.sh"; echo "$4"; } >"$work/tools/bazel"
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

case_of good 0 '4 passed, 0 failed' 'result PASSED "$(googletest 0)"; result PASSED "$(script 0)"'
case_of failing_case 3 '2 passed, 2 failed' 'result FAILED "$(googletest 2)"; result PASSED "$(script 0)"; exit 3'
case_of failing_script 3 '3 passed, 1 failed' 'result FAILED "$(script 1)"; result PASSED "$(googletest 0)"; exit 3'
case_of failure_after_the_last_case 3 '3 passed, 1 failed' 'result FAILED "$(googletest 0)"; exit 3'
case_of timeout_without_file 3 '0 passed, 1 failed' 'result TIMEOUT ""; exit 3'
case_of cached_without_file 0 '1 passed, 0 failed' 'result PASSED ""'
case_of failing_case_with_good_status 1 '2 passed, 1 failed' 'result PASSED "$(googletest 1)"'
case_of build_error_beside_good_tests 1 '3 passed, 1 failed' 'result PASSED "$(googletest 0)"; exit 1'
# The files of the cases before are still there and must not be counted.
case_of build_error_with_old_files 1 '0 passed, 1 failed' 'exit 1'
case_of no_tests 1 '0 passed, 1 failed' 'exit 0'
exit "$failures"
