/// An onlooker: another process that opens the store of a living one, reads all of it, and goes.
#pragma once

#include "lab/course.hpp"

#include <string>

namespace pawl::lab {

/// Tells the course of every output and every end that is there: what was seen must last.
///
/// Given: `store`, its name on the current disk. A store that cannot be read tells nothing.
void look_at_store(const std::string& store, Course& course);

}  // namespace pawl::lab
