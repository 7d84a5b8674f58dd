#!/bin/bash
# `reheap study --shard auto` as a test that Bazel has cut into shards (shard_count): each process learns from Bazel alone
# which cells are its own, and what all of them found joins to the bytes of one machine's run.
set -euo pipefail
study=mmap-fiasco
run() { tools/reheap study "$study" --quiet --format none "$@"; }
cd "$TEST_SRCDIR/$TEST_WORKSPACE"

rm -f "$TEST_SHARD_STATUS_FILE"
run --shard auto --output "$TEST_TMPDIR/own"
# Bazel believes that a test knows of shards when it touches this file; else every shard would have run everything.
[ -e "$TEST_SHARD_STATUS_FILE" ] || { echo 'TEST_SHARD_STATUS_FILE was not touched' >&2; exit 1; }

parts=("$TEST_TMPDIR/own")
for ((shard = 0; shard < TEST_TOTAL_SHARDS; ++shard)); do
  run --shard "$shard/$TEST_TOTAL_SHARDS" --output "$TEST_TMPDIR/part$shard"
  if ((shard == TEST_SHARD_INDEX)); then
    cmp "$TEST_TMPDIR/own" "$TEST_TMPDIR/part$shard"
  else
    # The others have other cells.
    if cmp -s "$TEST_TMPDIR/own" "$TEST_TMPDIR/part$shard"; then echo "shard $shard has our cells" >&2; exit 1; fi
    parts+=("$TEST_TMPDIR/part$shard")
  fi
done
run --output "$TEST_TMPDIR/whole"
tools/reheap study merge "${parts[@]}" --format none --output "$TEST_TMPDIR/joined"
cmp "$TEST_TMPDIR/whole" "$TEST_TMPDIR/joined"
