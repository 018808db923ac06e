/// The timeline of a case: who did what, one lane for each.
#pragma once

#include "lab/checker.hpp"

#include <string>

namespace pawl::lab {

/// A table for people: the process's start and end, the user's steps, the store and the coordinator
/// in lanes of their own.
std::string timeline(const HistoryView& history);

}  // namespace pawl::lab
