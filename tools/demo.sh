#!/usr/bin/env bash
# The main job, start to finish: record a real program, look at the trace, replay it on the strategies of the 2011
# mail under two limits on four systems and in both worlds, say what came out. Run it with
#   ./tools/bazel run //tools:demo
# It leaves the trace and the results in ./reheap-demo of the directory where it was called.
set -euo pipefail

# The program and the command lie beside this script in Bazel's runfiles.
here=$(dirname "$0")
if [ -d "$0.runfiles/reheap/tools" ]; then here="$0.runfiles/reheap/tools"; fi
here=$(cd "$here" && pwd)
reheap="$here/reheap"
program="$here/demo_program.pl"
# `bazel run` changes the directory; it says where the user was.
folder="${BUILD_WORKING_DIRECTORY:-$PWD}/reheap-demo"
strategies=go-2010-radix,go-2011-01-reserve16g,go-2011-02-reserve17g,go-2011-02-pretend,go-1.11-sparse
platforms=linux-amd64,darwin-amd64-11,freebsd-amd64,windows-amd64

say() { printf '\n=== %s\n' "$*"; }

if ! command -v perl >/dev/null; then
  echo "demo: no perl here; on Debian: apt-get install perl-base" >&2
  exit 2
fi
rm -rf "$folder"
mkdir -p "$folder"

say "1. record: perl builds, prunes and sorts a word index ($(basename "$program"))"
"$reheap" record --output "$folder/perl.trace" -- perl "$program"

say "2. check: is the trace sound, and what is in it?"
"$reheap" trace check "$folder/perl.trace"
"$reheap" trace info "$folder/perl.trace" > "$folder/perl.info.txt"
sed -n '/^what happened/,/^$/p' "$folder/perl.info.txt"

say "3. replay: the same mallocs on five plans for the heap's address space"
"$reheap" replay "$folder/perl.trace" --world real,virtual --strategy "$strategies" --platform "$platforms" \
  --address-limit unlimited,4GiB --measure-lookup --save "$folder/fiasco"
"$reheap" report "$folder/fiasco.json" --html "$folder/fiasco.html"

say "4. the 32-bit plan of the same week, on a 32-bit system"
"$reheap" replay "$folder/perl.trace" --strategy go-2011-02-reserve768m-386 --platform linux-386 \
  --address-limit unlimited,512MiB --save "$folder/fiasco-386"

cat <<'END'

=== what the rows mean
The story is a mail of February 2011 about Go's memory allocator: to find a page's span with one load instead of a
walk through a tree, the heap should be contiguous; so reserve all the address space it may ever need.

go-2010-radix          before: no reservation, a three-level tree from page to span. Starts anywhere, three loads.
go-2011-01-reserve16g  the change: 16 GiB reserved and never touched, one flat array. One load.
go-2011-02-reserve17g  the same with a bitmap for the collector: 17 GiB. "It works very well on my machines" - but
                       where `ulimit -v` is set and the system counts reservations, no program starts.
go-2011-02-pretend     the way out: assume that the range is free, take it piece by piece, die if somebody is there.
                       One load, and as little address space as the tree; two words differ from the plan above.
go-1.11-sparse         what Go did seven years later: arenas of 64 MiB, anywhere; a small table in front of the arrays.

Compare VSIZE (what `ulimit -v` counts) with RSS (what the memory costs): they tell the fiasco at a glance. Rows of
the real world were measured on this kernel, rows of the virtual world come from models of the systems named.
END
printf '\nLeft in %s:\n' "$folder"
ls -1sh "$folder" | sed 1d
