#include "actors/prune_question.hpp"

#include <cstdint>

namespace pawl {

namespace {

/// A member that is a whole number from 0; nothing if it is not there.
Result<std::optional<std::int64_t>> number_in(const json& question, const char* name) {
  const auto member = question.find(name);
  if (member == question.end()) return std::optional<std::int64_t>();
  const bool fits = member->is_number_integer() &&
                    *member <= std::numeric_limits<std::int64_t>::max() && *member >= 0;
  if (!fits)
    return make_error(Errc::invalid_argument,
                      std::string("a prune's \"") + name + "\" is a whole number from 0");
  return std::optional(member->get<std::int64_t>());
}

}  // namespace

json prune_question(const PruneOptions& options) {
  json question{{"ask", "prune"}};
  if (options.ended_before_ms) question["ended_before_ms"] = *options.ended_before_ms;
  if (options.keep_newest) question["keep_newest"] = *options.keep_newest;
  if (options.limit != PruneOptions{}.limit) question["limit"] = options.limit;
  return question;
}

Result<PruneOptions> prune_options_from(const json& question) {
  const auto ended_before_ms = number_in(question, "ended_before_ms");
  if (!ended_before_ms) return ended_before_ms.error();
  const auto keep_newest = number_in(question, "keep_newest");
  if (!keep_newest) return keep_newest.error();
  const auto limit = number_in(question, "limit");
  if (!limit) return limit.error();
  PruneOptions options;
  options.ended_before_ms = *ended_before_ms;
  if (*keep_newest) options.keep_newest = static_cast<std::size_t>(**keep_newest);
  if (*limit) options.limit = static_cast<std::size_t>(**limit);
  if (const Result<void> checked = check(options); !checked) return checked.error();
  return options;
}

json prune_answer(const Pruned& pruned) {
  return json{{"removed", pruned.runs}, {"more", pruned.more}};
}

Result<Pruned> pruned_from(const json& answer) {
  const bool fits = answer.is_object() && answer.contains("removed") &&
                    answer["removed"].is_number_unsigned() && answer.contains("more") &&
                    answer["more"].is_boolean();
  if (!fits)
    return make_error(Errc::io, "the store's owner answers what this pawl does not understand");
  return Pruned{answer["removed"].get<std::size_t>(), answer["more"].get<bool>()};
}

}  // namespace pawl
