#include <cstdio>
#include "traces/record_session.h"
#include "traces/trace_checker.h"
#include "traces/trace_info.h"
int main(int argc, char** argv) {
  reheap::RecordOptions o; o.output = argv[1];
  for (int i = 2; i < argc; ++i) o.command.push_back(argv[i]);
  auto r = reheap::RecordProgram(o);
  if (!r.ok()) { fprintf(stderr, "%s\n", r.status().ToString().c_str()); return 99; }
  fprintf(stderr, "status %x %s\n", r->wait_status, r->not_recorded_reason.c_str());
  for (auto& p : r->processes) {
    auto c = reheap::CheckTrace(p.path);
    fprintf(stderr, "%s pid %d %s events %lu dropped %lu: %s\n", p.path.c_str(), p.pid, p.program.c_str(), p.events, p.dropped_events, c.ok() ? (c->ok() ? "ok" : "ANOMALIES") : c.status().ToString().c_str());
    if (c.ok()) for (auto& v : c->violations) fprintf(stderr, "  %s\n", v.ToString().c_str());
    auto info = reheap::ReadTraceInfo(p.path);
    if (info.ok()) { fprintf(stderr, "   threads %zu cross %lu peak %lu B/event %.2f maps %d :", info->threads.size(), info->cross_thread_frees, info->peak_live_bytes, info->bytes_per_event(), info->header.mappings_size());
      for (int k = 0; k < reheap::kEventKindCount; ++k) fprintf(stderr, " %s=%lu", reheap::EventKindName((reheap::EventKind)k), info->events_by_kind[k]);
      for (int k = 0; k < reheap::kCallKindCount; ++k) if (info->events_by_call[k]) fprintf(stderr, " %s=%lu", reheap::CallKindName((reheap::CallKind)k), info->events_by_call[k]);
      fprintf(stderr, "\n"); }
  }
}
