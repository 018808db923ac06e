/// Steps that do nothing: for flows without their program.
#pragma once

#include <pawl/flow.hpp>
#include <pawl/steps.hpp>

namespace pawl::lab {

/// Steps for every type that `flow` uses. A step's output is what `mocks` has under its name, or
/// else under its type; or else its parameters, with whatever the flow's templates want of its
/// output added: text that names the place.
///
/// Given:  `mocks`, an object; a member may also be `{"fail": "why"}` or `{"retry": "why", "times":
/// n}`, which fails n
///         attempts and then gives the default output.
/// Errors: Errc::invalid_argument.
Result<Steps> mock_steps(const Flow& flow, const json& mocks = json::object());

}  // namespace pawl::lab
