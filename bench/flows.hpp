/// The flows that are measured, and the step that they are made of: it returns about 100 bytes of
/// JSON and does nothing else.
#pragma once

#include <pawl/engine.hpp>
#include <pawl/flow.hpp>

#include <string>
#include <utility>

namespace pawl::bench {

/// Of a flow, where nobody says how many.
constexpr int flow_steps = 10;

/// What each step gives.
const json& step_output();

/// Names that sort by their numbers.
std::string number(const char* prefix, int n);

/// Sequential steps.
Flow chain(int steps);

/// Steps that the machine performs itself, each from the one before.
Flow chain_of_values(int steps);

/// `steps` steps beside each other, and joins of at most Limits::dependencies_max until one is
/// left; and how many steps that makes.
std::pair<Flow, int> fan(int steps);

/// An engine whose step type `step` is this one.
Engine open_engine(const std::string& path, StepBody::Function step);

/// Runs some runs of the flow to their ends.
void run_all(Engine& engine, const Flow& flow, const char* prefix, int flows);

}  // namespace pawl::bench
