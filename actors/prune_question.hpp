/// A prune as it goes through the control socket: one line of JSON each way.
///
///     {"ask":"prune","ended_before_ms":TIME,"keep_newest":N,"limit":N}   one of the first two, or
///     both
///     {"removed":N,"more":BOOL}
#pragma once

#include <pawl/json.hpp>
#include <pawl/retention.hpp>

namespace pawl {

json prune_question(const PruneOptions& options);

/// Errors: Errc::invalid_argument for members that are no such numbers, or none at all.
Result<PruneOptions> prune_options_from(const json& question);

json prune_answer(const Pruned& pruned);

/// Errors: Errc::io for what is no such answer.
Result<Pruned> pruned_from(const json& answer);

}  // namespace pawl
