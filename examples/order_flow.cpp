// An order: three steps, a gateway that is down at first, and keys that keep the customer from
// paying twice.
#include <pawl/engine.hpp>

#include <iostream>
#include <map>
#include <stdexcept>
#include <string>

namespace gateway {  // stands for a payment service somewhere else

std::map<std::string, std::string>
    receipts;  // by idempotency key: the same key is the same payment
int calls = 0;

std::string charge(const std::string& key, int cents) {
  if (++calls < 3) throw std::runtime_error("gateway unreachable");
  return receipts.emplace(key, "receipt-" + std::to_string(cents)).first->second;
}

}  // namespace gateway

// Typed steps: nlohmann::json converts parameters and output.
int price(const std::map<std::string, int>& items) {
  int cents = 0;
  for (const auto& [item, each] : items) cents += each;
  return cents;
}

// A step that wants to see its call. What it throws is a failed attempt, which the flow's retry
// policy repeats.
pawl::StepResult charge(const pawl::StepCall& call) {
  const int cents = call.with.at("cents").get<int>();
  if (cents <= 0) return pawl::fail("nothing to pay for");
  return pawl::done({{"receipt", gateway::charge(call.key, cents)}, {"attempt", call.attempt}});
}

pawl::StepResult ship(const pawl::StepCall& call) {
  return pawl::done("shipped " + call.with.at("sku").get<std::string>() + ", paid by " +
                    call.with.at("receipt").get<std::string>());
}

int main() {
  const auto flow = pawl::parse_flow(R"({
    "flow": "order",
    "steps": {
      "price":  {"run": "price",  "with": {"tea": 420, "parcel": 80}},
      "charge": {"run": "charge", "with": {"cents": "{{steps.price.output}}"},
                 "retry": {"max_attempts": 5, "initial_ms": 20}},
      "ship":   {"run": "ship",   "with": {"sku": "{{input.sku}}", "receipt": "{{steps.charge.output.receipt}}"}}
    },
    "output": "{{steps.ship.output}}"
  })");
  auto engine =
      pawl::Engine::open("orders.db", {{"price", price}, {"charge", charge}, {"ship", ship}})
          .value();
  const pawl::Outcome end = engine.start(flow.value(), "order-42", {{"sku", "tea"}}).value().wait();
  std::cout << (end.succeeded() ? end.output.get<std::string>() : end.error->message) << '\n';
}
