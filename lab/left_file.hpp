/// What a life that ended cleanly left in its file, read as a stranger would: all of `pawl verify`.
#pragma once

#include "lab/process.hpp"

#include <string>

namespace pawl::lab {

/// Fills the runs and the findings of `end`, from its image.
void read_left_file(const std::string& store, LifeEnd& end);

}  // namespace pawl::lab
