#include "sim/os/platform_reader.h"

namespace reheap {
namespace {

// The C++ enums have the schema's numbers. Unspecified = an optional rule that is absent.
template <class Enum, class Rule>
void Copy(const Rule& rule, Enum* to) {
  if (rule.value() != Rule::UNSPECIFIED) *to = static_cast<Enum>(rule.value());
}
void Copy(const proto::Number& rule, uint64_t* to) { *to = rule.value(); }
void Copy(const proto::Switch& rule, bool* to) { *to = rule.value(); }

void CopyMapExtras(const proto::MapExtras& from, MapExtras* to) {
  to->type_mask = static_cast<int>(from.type_mask());
  to->shared_validate = static_cast<int>(from.shared_validate());
  to->droppable = static_cast<int>(from.droppable());
  to->grows_down = static_cast<int>(from.grows_down());
  to->low_window = static_cast<int>(from.low_window());
  to->stack = static_cast<int>(from.stack());
  to->sync = static_cast<int>(from.sync());
  to->validated = static_cast<int>(from.validated());
  to->locked = static_cast<int>(from.locked());
  to->populate = static_cast<int>(from.populate());
  to->non_block = static_cast<int>(from.non_block());
  to->huge_tlb = static_cast<int>(from.huge_tlb());
  to->huge_size_shift = static_cast<int>(from.huge_size_shift());
  to->huge_size_mask = static_cast<int>(from.huge_size_mask());
  to->protect_grows_down = static_cast<int>(from.protect_grows_down());
  to->protect_grows_up = static_cast<int>(from.protect_grows_up());
  to->above_4g = static_cast<int>(from.above_4g());
  to->huge_sizes = from.huge_sizes();
}

RemapCall ReadRemap(const proto::RemapCall& from) {
  return {static_cast<int>(from.may_move()),
          static_cast<int>(from.fixed()),
          static_cast<int>(from.dont_unmap()),
          static_cast<RemapOrder>(from.order()),
          from.unlocks_whole_mapping(),
          static_cast<BesideSource>(from.beside_source()),
          from.emptied_source_is_new()};
}

// Of an optional rule that is absent, everything is 0.
MapFlagRules FlagRules(const proto::MapFlagRules& from) {
  MapFlagRules to;
  to.known = static_cast<int>(from.known());
  to.guard = static_cast<int>(from.guard());
  to.beside_guard = static_cast<int>(from.beside_guard());
  to.gap_stack = static_cast<int>(from.gap_stack());
  to.beside_stack = static_cast<int>(from.beside_stack());
  to.stack_needs = static_cast<int>(from.stack_needs());
  to.low = static_cast<int>(from.low());
  to.low_end = from.low_end();
  to.alignment_mask = static_cast<int>(from.alignment_mask());
  to.alignment_shift = static_cast<int>(from.alignment_shift());
  to.alignment_huge = static_cast<int>(from.alignment_huge());
  to.huge_page_bytes = from.huge_page_bytes();
  to.try_fixed = static_cast<int>(from.try_fixed());
  to.no_replace_needs_fixed = from.no_replace_needs_fixed();
  to.no_kind_is_private = from.no_kind_is_private();
  to.anonymous_has_no_file = from.anonymous_has_no_file();
  to.protection_known = static_cast<int>(from.protection_known());
  return to;
}

void CopyMachine(const proto::Platform::Machine& from, Platform::Machine* to) {
  to->word_bits = static_cast<int>(from.word_bits().value());
  Copy(from.os_page_bytes(), &to->os_page_bytes);
  Copy(from.granularity_bytes(), &to->granularity_bytes);
  Copy(from.user_start(), &to->user_start);
  Copy(from.user_end(), &to->user_end);
  Copy(from.calls(), &to->calls);
  const proto::CallBits& bits = from.bits();
  to->bits.map_shared = static_cast<int>(bits.map_shared());
  to->bits.map_private = static_cast<int>(bits.map_private());
  to->bits.map_fixed = static_cast<int>(bits.map_fixed());
  to->bits.map_anonymous = static_cast<int>(bits.map_anonymous());
  to->bits.map_no_reserve = static_cast<int>(bits.map_no_reserve());
  to->bits.map_no_replace = static_cast<int>(bits.map_no_replace());
  to->bits.advice_discard = static_cast<int>(bits.advice_discard());
  const proto::ErrorNumbers& errors = from.errors();
  to->errors.invalid_argument = static_cast<int>(errors.invalid_argument());
  to->errors.out_of_memory = static_cast<int>(errors.out_of_memory());
  to->errors.address_taken = static_cast<int>(errors.address_taken());
  to->errors.commit_limit = static_cast<int>(errors.commit_limit());
  to->errors.out_of_range = static_cast<int>(errors.out_of_range());
  to->errors.bad_descriptor = static_cast<int>(errors.bad_descriptor());
  to->errors.offset_overflow = static_cast<int>(errors.offset_overflow());
  to->errors.not_mapped = static_cast<int>(errors.not_mapped());
  to->errors.not_supported = static_cast<int>(errors.not_supported());
  to->errors.try_again = static_cast<int>(errors.try_again());
  to->errors.no_access = static_cast<int>(errors.no_access());
  to->errors.bad_address = static_cast<int>(errors.bad_address());
  to->errors.privilege = static_cast<int>(errors.privilege());
  to->errors.commit_limit_later = static_cast<int>(errors.commit_limit_later());
  to->errors.lock_limit = static_cast<int>(errors.lock_limit());
  CopyMapExtras(from.map_extras(), &to->map_extras);
  if (from.has_remap()) to->remap = ReadRemap(from.remap());
  to->map_flag_rules = FlagRules(from.map_flag_rules());
  Copy(from.seals(), &to->seals);
  if (from.has_protection_bits()) {
    to->protection_known = static_cast<int>(from.protection_bits().known());
    to->protection_dropped = from.protection_bits().dropped();
    to->protection_wrap_error = static_cast<int>(from.protection_bits().wrap_error());
  }
}

void CopyLegacy(const proto::Platform::LegacyLayout& from, LegacyLayout* to) {
  Copy(from.divisor(), &to->divisor);
  Copy(from.when_stack_unlimited(), &to->when_stack_unlimited);
}

void CopyRandomisation(const proto::Platform::Randomisation& from, Randomisation* to) {
  Copy(from.base_bits(), &to->base_bits);
  Copy(from.base_bits_most(), &to->base_bits_most);
  Copy(from.stack_bytes(), &to->stack_bytes);
  Copy(from.break_bytes(), &to->break_bytes);
  Copy(from.moves_fallback(), &to->moves_fallback);
}

void CopyPersonality(const proto::Platform::Personality& from, PersonalityBits* to) {
  Copy(from.no_randomize(), &to->no_randomize);
  Copy(from.compat_layout(), &to->compat_layout);
  Copy(from.limit().bit(), &to->limit);
  Copy(from.limit().user_end(), &to->limited_user_end);
}

void CopyPlacement(const proto::Platform::Placement& from, Platform::Placement* to) {
  Copy(from.direction(), &to->direction);
  Copy(from.base(), &to->base);
  Copy(from.base_bytes(), &to->base_bytes);
  Copy(from.fallback_base(), &to->fallback_base);
  Copy(from.hint(), &to->hint);
  Copy(from.hint_rounding(), &to->hint_rounding);
  Copy(from.hint_floor(), &to->hint_floor);
  Copy(from.hint_in_data_ignored(), &to->hint_in_data_ignored);
  Copy(from.huge_alignment_bytes(), &to->huge_alignment_bytes);
  Copy(from.huge_alignment_for_files_only(), &to->huge_alignment_for_files_only);
  Copy(from.huge_aligned_at_gap_start(), &to->huge_aligned_at_gap_start);
  Copy(from.stack_guard_bytes(), &to->stack_guard_bytes);
  Copy(from.stack_guard_wraps(), &to->stack_guard_wraps);
  Copy(from.low_window_start(), &to->low_window_start);
  Copy(from.low_window_end(), &to->low_window_end);
  Copy(from.stack_made_at(), &to->stack_made_at);
  Copy(from.lottery(), &to->lottery);
  to->lottery_pages = from.lottery().pages();
  Copy(from.window_end(), &to->window_end);
  if (from.has_legacy()) CopyLegacy(from.legacy(), &to->legacy.emplace());
  if (from.has_randomisation()) CopyRandomisation(from.randomisation(), &to->randomisation.emplace());
  if (from.has_personality()) CopyPersonality(from.personality(), &to->personality.emplace());
}

void CopyLimits(const proto::Platform::Limits& from, Platform::Limits* to) {
  Copy(from.address(), &to->address);
  Copy(from.data(), &to->data);
  Copy(from.commit_charge(), &to->commit_charge);
  Copy(from.commit_refusal(), &to->commit_refusal);
  Copy(from.protect_uncharges_unwritten(), &to->protect_uncharges_unwritten);
  Copy(from.max_mappings(), &to->max_mappings);
  Copy(from.locked_counts_again(), &to->locked_counts_again);
  Copy(from.default_stack_bytes(), &to->default_stack_bytes);
}

void CopyMappings(const proto::Platform::Mappings& from, Platform::Mappings* to) {
  Copy(from.merge(), &to->merge);
  Copy(from.written_joins_unwritten(), &to->written_joins_unwritten);
  Copy(from.new_joins_next_first(), &to->new_joins_next_first);
  Copy(from.heap_name_at_edges(), &to->heap_name_at_edges);
  Copy(from.replace(), &to->replace);
  Copy(from.hole(), &to->hole);
  Copy(from.unaligned(), &to->unaligned);
  Copy(from.discard(), &to->discard);
  Copy(from.stack_grows_on_access(), &to->stack_grows_on_access);
  to->write_execute_map_error = static_cast<int>(from.write_execute().map_error());
  to->write_execute_protect_error = static_cast<int>(from.write_execute().protect_error());
  to->stack_step_bytes = from.stack_gap().step_bytes();
  to->stack_gap_guard_bytes = from.stack_gap().guard_bytes();
}

// By `hole` alone: protect and advise refuse as if memory were short, unmap does not mind.
void CopyHoleErrors(const proto::Platform& from, Platform::Mappings* to) {
  const proto::HoleErrors& errors = from.mappings().hole_errors();
  const bool ignored = to->hole == HoleRule::kIgnored;
  const int usual = ignored ? 0 : static_cast<int>(from.machine().errors().out_of_memory());
  const bool given = from.mappings().has_hole_errors();
  to->unmap_hole_error = static_cast<int>(errors.unmap());
  to->unmap_nothing_succeeds = errors.nothing_unmapped_succeeds();
  to->protect_hole_error = given ? static_cast<int>(errors.protect()) : usual;
  to->advise_hole_error = given ? static_cast<int>(errors.advise()) : usual;
}

void CopyReservations(const proto::Platform::Reservations& from, Platform::Reservations* to) {
  Copy(from.bytes_per_charged_byte(), &to->bytes_per_charged_byte);
  Copy(from.reset_undo(), &to->reset_undo);
  Copy(from.random_granules(), &to->random_granules);
}

void CopyPages(const proto::Platform::Pages& from, Platform::Pages* to) {
  Copy(from.table_levels(), &to->table_levels);
  Copy(from.huge_page_bytes(), &to->huge_page_bytes);
  Copy(from.fault_around_bytes(), &to->fault_around_bytes);
  Copy(from.zero_page(), &to->zero_page);
  Copy(from.discard_frees_tables(), &to->discard_frees_tables);
  Copy(from.huge_zero_write_is_huge(), &to->huge_zero_write_is_huge);
  Copy(from.remap_takes_first_table(), &to->remap_takes_first_table);
  Copy(from.split_leaves_zero_page(), &to->split_leaves_zero_page);
}

}  // namespace

Platform ReadPlatform(const proto::Platform& from) {
  Platform platform;
  platform.name = from.name();
  platform.aliases.assign(from.alias().begin(), from.alias().end());
  platform.summary = from.summary();
  platform.release = from.as_of();
  Copy(from.basis(), &platform.basis);
  CopyMachine(from.machine(), &platform.machine);
  CopyPlacement(from.placement(), &platform.placement);
  CopyLimits(from.limits(), &platform.limits);
  CopyMappings(from.mappings(), &platform.mappings);
  CopyReservations(from.reservations(), &platform.reservations);
  CopyHoleErrors(from, &platform.mappings);
  if (from.has_pages()) CopyPages(from.pages(), &platform.pages);
  for (const proto::Advice::Word& word : from.advice().word()) {
    platform.advice.push_back({static_cast<int>(word.number()), static_cast<AdviceMeaning>(word.meaning())});
  }
  platform.unfit_advice_passed_over = from.advice().unfit_passed_over();
  platform.unfit_advice_error = static_cast<int>(from.advice().unfit_error());
  platform.holes_seen_when_given_back = from.advice().holes_seen_when_given_back();
  platform.populates_behind_holes = from.advice().populates_behind_holes();
  platform.unaligned_advice_rounded_down = from.advice().unaligned_rounded_down();
  for (const std::string& line : from.image().line()) platform.image += line + "\n";
  return platform;
}

}  // namespace reheap
