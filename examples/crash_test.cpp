// Whatever dies, wherever, the customer is charged once.
#include <pawl/lab_catch.hpp>

using namespace pawl;

TEST_CASE("order: a crash anywhere still charges once") {
  const auto order = parse_flow(R"({"flow": "order", "steps": {
    "price": {"run": "note"}, "reserve": {"run": "note"},
    "charge": {"run": "charge", "after": ["price", "reserve"]},
    "ship": {"run": "note", "after": ["charge"]}, "mail": {"run": "note", "after": ["ship"]}}})");
  const auto report = lab::explore(order.value(), {{"sku", "tea"}}, [] {
    auto books = std::make_shared<std::map<std::string, int>>();  // they outlive the process
    const auto note = [](const StepCall&) { return done(); };
    const auto charge = [books](const StepCall& call) {
      books->emplace(call.key, 420);  // the same key is the same charge
      return done();
    };
    const auto check = [books](const lab::Ending&) { return books->size() == 1 ? "" : "charged"; };
    return lab::Outside{[=] { return Steps{{"note", note}, {"charge", charge}}; }, check};
  });
  CHECK_THAT(report, lab::holds());
}
