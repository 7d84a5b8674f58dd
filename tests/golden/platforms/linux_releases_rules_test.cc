// Linux 6.18, 6.12 and 6.1: each rule in which they differ, with the answers on every side of the change.
//
// Kernels say so in tests/differential/qemu; these rows keep it where there is no qemu.
#include <gtest/gtest.h>

#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

constexpr int kLinux = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS
constexpr int kFixed = kLinux | 0x10;
constexpr int kDroppable = 0x28, kStack = kLinux | 0x20000;
constexpr int kMoveTo = 3, kKeepOld = 7;  // MREMAP_MAYMOVE | MREMAP_FIXED, and MREMAP_DONTUNMAP
constexpr int kFree = 8, kHugePage = 14, kPopulateWrite = 23, kGuardInstall = 102;
constexpr uint64_t kAt = 0x100000000000, kTo = 0x200000000000;

// ---- mmap ----

std::vector<Case> HugeAlignment(uint64_t place) {
  return {{"hintless huge pages",
           "measured on 6.1.192, 6.12.107 and 6.18",
           {{Step::kMap, 0, 2 * kMiB, kRw, kLinux, place}}}};
}
std::vector<Case> RefusedReplacement(uint64_t mappings) {
  return {{"a fixed mapping that the address limit refuses",
           "mmap_region, mm/mmap.c; measured on all",
           {{Step::kMap, kAt, 4 * kPage, 0, kLinux, kAt},
            {Step::kMap, kAt + 2 * kPage, 8 * kPage, 0, kFixed, kOk, 12},
            {Step::kCount, 0, 0, 0, 0, mappings}},
           4 * kPage}};
}
void NeverOvercommit(VirtualProcess* process) { process->limits.overcommit = OvercommitMode::kNever; }
std::vector<Case> RefusedCharge(int again_error) {
  return {{"a fixed mapping whose charge is refused: 6.1 has unmapped already, later ones have not",
           "mmap_region, mm/mmap.c, 6.1 and 6.12",
           {{Step::kMap, kAt, 4 * kPage, 0, kLinux, kAt},
            {Step::kMap, kAt, 17 * kGiB, kRw, kFixed, kOk, 12},
            {Step::kMap, kAt, kPage, 0, kLinux | 0x100000, again_error == 0 ? kAt : kOk, again_error}},
           {},
           {},
           16 * kGiB,
           NeverOvercommit}};
}
// Between a never written mapping below and a written one above; between two that strangers wrote.
std::vector<Case> NewBetween(uint64_t unwritten_below, uint64_t last_start) {
  return {{"a new mapping between a never written one and a written one",
           "__mmap_region, mm/mmap.c, 6.1; vma_merge_new_range, mm/vma.c, 6.12; measured on all",
           {{Step::kMap, kAt + 2 * kPage, kPage, kRw, kFixed, kAt + 2 * kPage},
            {Step::kWrite, kAt + 2 * kPage, 0, 0, 0, 1},
            {Step::kMap, kAt, kPage, kRw, kFixed, kAt},
            {Step::kMap, kAt + kPage, kPage, kRw, kFixed, kAt + kPage},
            {Step::kCount, 0, 0, 0, 0, unwritten_below}}},
          {"a new mapping between two written ones joins the one below; on 6.1 the one above: what is split off there is "
           "a mapping more, or not",
           "__mmap_region, mm/mmap.c, 6.1; can_vma_merge_right, mm/vma.c, 6.12; measured on all",
           {{Step::kMap, kAt, kPage, kRw, kFixed, kAt},
            {Step::kWrite, kAt, 0, 0, 0, 1},
            {Step::kMap, kAt + 2 * kPage, kPage, kRw, kFixed, kAt + 2 * kPage},
            {Step::kWrite, kAt + 2 * kPage, 0, 0, 0, 1},
            {Step::kMap, kAt + kPage, kPage, kRw, kFixed, kAt + kPage},
            {Step::kCount, 0, 0, 0, 0, 2},
            {Step::kProtect, kAt + 2 * kPage, kPage, 0},
            {Step::kCount, 0, 0, 0, 0, last_start}}}};
}
std::vector<Case> NewKinds(int droppable_error, uint64_t beside_stack) {
  return {{"MAP_DROPPABLE",
           "do_mmap, mm/mmap.c, 6.12 and 6.1",
           {{Step::kMap, kAt, kPage, kRw, kDroppable | 0x10, droppable_error == 0 ? kAt : kOk, droppable_error}}},
          {"MAP_STACK keeps huge pages away, and so does not join",
           "calc_vm_flag_bits, include/linux/mman.h, 6.12; not in 6.1",
           {{Step::kMap, kAt, kPage, kRw, kFixed, kAt},
            {Step::kMap, kAt + kPage, kPage, kRw, kStack | 0x10, kAt + kPage},
            {Step::kCount, 0, 0, 0, 0, beside_stack}}}};
}

// ---- mprotect and madvise ----

std::vector<Case> ProtectBackAndForth(uint64_t mappings) {
  return {{"a page made usable and taken back, never written",
           "mprotect_fixup, mm/mprotect.c; measured on all",
           {{Step::kMap, kAt, 3 * kPage, 0, kLinux, kAt},
            {Step::kProtect, kAt + kPage, kPage, kRw},
            {Step::kProtect, kAt + kPage, kPage, 0},
            {Step::kCount, 0, 0, 0, 0, mappings}}}};
}
std::vector<Case> WrittenBesideUnwritten(uint64_t mappings) {
  return {{"a written page takes its unwritten neighbour's protection",
           "is_mergeable_anon_vma, mm/vma.c; measured on all",
           {{Step::kMap, kAt, 2 * kPage, kRw, kLinux, kAt},
            {Step::kProtect, kAt + kPage, kPage, kProtWrite},
            {Step::kWrite, kAt, 0, 0, 0, 1},
            {Step::kProtect, kAt, kPage, kProtWrite},
            {Step::kCount, 0, 0, 0, 0, mappings}}}};
}
std::vector<Case> Guards(int error) {
  return {{"MADV_GUARD_INSTALL came with 6.13",
           "madvise_behavior_valid, mm/madvise.c, 6.12 and 6.1; measured on all",
           {{Step::kMap, kAt, kPage, kRw, kFixed, kAt}, {Step::kAdvise, kAt, kPage, 0, kGuardInstall, kOk, error}}}};
}
std::vector<Case> PopulateOverAHole(uint64_t resident) {
  return {{"MADV_POPULATE_WRITE ends at a hole; 6.1 goes on behind it, with the same error",
           "madvise_populate, mm/madvise.c, 6.12; madvise_walk_vmas, 6.1",
           {{Step::kMap, kAt, kPage, kRw, kFixed, kAt},
            {Step::kMap, kAt + 2 * kPage, kPage, kRw, kFixed, kAt + 2 * kPage},
            {Step::kAdvise, kAt, 3 * kPage, 0, kPopulateWrite, kOk, 12},
            {Step::kResident, 0, 0, 0, 0, resident}}}};
}

// What of a huge page the program never wrote, once MADV_FREE of one OS page of it has split it.
std::vector<Case> SplitHugePage(uint64_t resident) {
  return {{"MADV_FREE of a part of a huge page: what was never written of it becomes the zero page, since 6.12",
           "remap_page, mm/huge_memory.c, and try_to_map_unused_to_zeropage, mm/migrate.c, 6.12; remap_page, 6.1",
           {{Step::kMap, kAt, 2 * kMiB, kRw, kFixed, kAt},
            {Step::kAdvise, kAt, 2 * kMiB, 0, kHugePage},
            {Step::kWrite, kAt, 0, 0, 0, 1},
            {Step::kResident, 0, 0, 0, 0, 2 * kMiB},
            {Step::kAdvise, kAt, kPage, 0, kFree},
            {Step::kResident, 0, 0, 0, 0, resident}}}};
}

// ---- mremap ----

// Two levels of tables at each place, and of the lowest: one that moved, or one at each.
std::vector<Case> MoveOfTables(uint64_t tables) {
  return {{"a move from the middle of a page table on takes the whole table, since 6.7",
           "try_realign_addr, mm/mremap.c, 6.12; move_page_tables, mm/mremap.c, 6.1",
           {{Step::kMap, kAt + kMiB, 2 * kMiB, kRw, kFixed, kAt + kMiB},
            {Step::kWrite, kAt + kMiB, 0, 0, 0, 1},
            {Step::kTables, 0, 0, 0, 0, 3 * kPage},
            {Step::kRemap, kAt + kMiB, 2 * kMiB, 0, kKeepOld, kTo + kMiB, 0, kTo + kMiB},
            {Step::kTables, 0, 0, 0, 0, tables * kPage}}},
          {"but not where something is mapped before it",
           "can_align_down, mm/mremap.c, 6.12",
           {{Step::kMap, kAt, kPage, 0, kLinux, kAt},
            {Step::kMap, kAt + kMiB, 2 * kMiB, kRw, kFixed, kAt + kMiB},
            {Step::kWrite, kAt + kMiB, 0, 0, 0, 1},
            {Step::kRemap, kAt + kMiB, 2 * kMiB, 0, kKeepOld, kTo + kMiB, 0, kTo + kMiB},
            {Step::kTables, 0, 0, 0, 0, 6 * kPage}}}};
}
std::vector<Case> MoveOfNothing(int error) {
  return {{"nothing mapped and a bad new place: which is looked at first",
           "mremap, mm/mremap.c, 6.12 and 6.1; check_mremap_params, 7.0; measured on all",
           {{Step::kRemap, kAt, kPage, 0, kMoveTo, kOk, error, kTo + 1}}}};
}
std::vector<Case> MoveOfSeveral(int error) {
  return {{"a move of two mappings: since 6.17, each in its turn",
           "vma_to_resize, mm/mremap.c, 6.12; remap_move, 7.0; measured on all",
           {{Step::kMap, kAt, kPage, kRw, kFixed, kAt},
            {Step::kMap, kAt + kPage, kPage, kRead, kFixed, kAt + kPage},
            {Step::kRemap, kAt, 2 * kPage, 0, kMoveTo, error == 0 ? kTo : kOk, error, kTo}}}};
}
std::vector<Case> CopyBesideSource(uint64_t with_source, uint64_t between) {
  return {{"a copy beside its source, which stays and was never written",
           "copy_vma, mm/vma.c, 6.12; mm/mmap.c, 6.1; measured on all",
           {{Step::kMap, kAt, kPage, kRw, kFixed, kAt},
            {Step::kRemap, kAt, kPage, 0, kKeepOld, kAt + kPage, 0, kAt + kPage},
            {Step::kCount, 0, 0, 0, 0, with_source}}},
          {"the same with another mapping on its other side",
           "copy_vma, mm/vma.c, 6.12; mm/mmap.c, 6.1; measured on all",
           {{Step::kMap, kAt, kPage, kRw, kFixed, kAt},
            {Step::kMap, kAt + 2 * kPage, kPage, kRw, kFixed, kAt + 2 * kPage},
            {Step::kRemap, kAt, kPage, 0, kKeepOld, kAt + kPage, 0, kAt + kPage},
            {Step::kCount, 0, 0, 0, 0, between}}}};
}
// Written, moved, and moved on: what stays in the middle lies at the first place's offset, or at its own.
std::vector<Case> EmptiedSource(uint64_t mappings) {
  return {{"what was moved away whole, twice, and its new neighbour",
           "dontunmap_complete, mm/mremap.c, 7.0; move_vma, mm/mremap.c, 6.12 and 6.1; measured on all",
           {{Step::kMap, kAt, kPage, kRw, kFixed, kAt},
            {Step::kWrite, kAt, 0, 0, 0, 1},
            {Step::kRemap, kAt, kPage, 0, kMoveTo, kTo, 0, kTo},
            {Step::kRemap, kTo, kPage, 0, kKeepOld, kTo + 2 * kPage, 0, kTo + 2 * kPage},
            {Step::kUnmap, kTo + 2 * kPage, kPage},
            {Step::kMap, kTo + kPage, kPage, kRw, kFixed, kTo + kPage},
            {Step::kCount, 0, 0, 0, 0, mappings}}}};
}
// What is locked, moves and stays is split first on 6.12 and 6.1.
std::vector<Case> LockedMove(uint64_t mappings) {
  return {{"pages of a locked mapping move away while it stays",
           "move_vma, mm/mremap.c, 6.12 and 6.1; dontunmap_complete, 7.0; measured on all",
           {{Step::kMap, kAt, 3 * kPage, kRw, kFixed | 0x2000, kAt},
            {Step::kRemap, kAt + kPage, kPage, 0, kKeepOld, kTo, 0, kTo},
            {Step::kCount, 0, 0, 0, 0, mappings}}}};
}

TEST(LinuxReleasesTest, Kernel6_18) {
  const char* const kernel = "linux-amd64@6.18";
  ExpectRules(kernel, HugeAlignment(0x7ffff7c00000));
  ExpectRules(kernel, RefusedReplacement(2));
  ExpectRules(kernel, RefusedCharge(17));
  ExpectRules(kernel, NewBetween(1, 2));
  ExpectRules(kernel, NewKinds(0, 2));
  ExpectRules(kernel, ProtectBackAndForth(1));
  ExpectRules(kernel, WrittenBesideUnwritten(1));
  ExpectRules(kernel, Guards(0));
  ExpectRules(kernel, PopulateOverAHole(kPage));
  ExpectRules(kernel, SplitHugePage(kPage));
  ExpectRules(kernel, MoveOfTables(5));
  ExpectRules(kernel, MoveOfNothing(22));
  ExpectRules(kernel, MoveOfSeveral(0));
  ExpectRules(kernel, CopyBesideSource(1, 1));
  ExpectRules(kernel, EmptiedSource(2));
  ExpectRules(kernel, LockedMove(2));
}
TEST(LinuxReleasesTest, Kernel6_12) {
  const char* const kernel = "linux-amd64@6.12";
  ExpectRules(kernel, HugeAlignment(0x7ffff7c00000));
  ExpectRules(kernel, RefusedReplacement(2));
  ExpectRules(kernel, RefusedCharge(17));
  ExpectRules(kernel, NewBetween(1, 2));
  ExpectRules(kernel, NewKinds(0, 2));
  ExpectRules(kernel, ProtectBackAndForth(1));
  ExpectRules(kernel, WrittenBesideUnwritten(2));
  ExpectRules(kernel, Guards(22));
  ExpectRules(kernel, PopulateOverAHole(kPage));
  ExpectRules(kernel, SplitHugePage(kPage));
  ExpectRules(kernel, MoveOfTables(5));
  ExpectRules(kernel, MoveOfNothing(14));
  ExpectRules(kernel, MoveOfSeveral(14));
  ExpectRules(kernel, CopyBesideSource(2, 2));
  ExpectRules(kernel, EmptiedSource(1));
  ExpectRules(kernel, LockedMove(4));
}
TEST(LinuxReleasesTest, Kernel6_1) {
  const char* const kernel = "linux-amd64@6.1";
  ExpectRules(kernel, HugeAlignment(0x7ffff7df7000));
  ExpectRules(kernel, RefusedReplacement(1));
  ExpectRules(kernel, RefusedCharge(0));
  ExpectRules(kernel, NewBetween(2, 3));
  ExpectRules(kernel, NewKinds(22, 1));
  ExpectRules(kernel, ProtectBackAndForth(3));
  ExpectRules(kernel, WrittenBesideUnwritten(2));
  ExpectRules(kernel, Guards(22));
  ExpectRules(kernel, PopulateOverAHole(2 * kPage));
  ExpectRules(kernel, SplitHugePage(2 * kMiB));
  ExpectRules(kernel, MoveOfTables(6));
  ExpectRules(kernel, MoveOfNothing(14));
  ExpectRules(kernel, MoveOfSeveral(14));
  ExpectRules(kernel, CopyBesideSource(2, 3));
  ExpectRules(kernel, EmptiedSource(1));
  ExpectRules(kernel, LockedMove(4));
}

}  // namespace
}  // namespace reheap
