// A run that was exported once, against today's flow: what a user's own test of a change looks
// like.
#include <pawl/lab_catch.hpp>

#include <string>

using namespace pawl;

namespace {

const std::string order_42 = std::string(PAWL_SOURCES) + "/tests/lab/order-42.fixture.json";

/// The flow of the fixture, with a text in it replaced.
Flow order(const std::string& from = "", const std::string& to = "") {
  std::string text = R"({"flow": "order", "input": {"currency": "EUR"}, "steps": {
    "price": {"run": "echo", "with": {"sku": "{{input.sku}}", "cents": 420}},
    "big": {"if": {"less": [1000, "{{steps.price.output.cents}}"]}},
    "ask": {"await": "approved", "when": "big"},
    "reserve": {"map": "{{input.parts}}", "run": "echo",
                "with": {"part": "{{item}}", "of": "{{steps.price.output.sku}}"}},
    "charge": {"run": "echo", "after": ["reserve", "ask"],
               "with": {"cents": "{{steps.price.output.cents}}", "currency": "{{input.currency}}"}},
    "ship": {"run": "shell",
             "with": {"argv": ["printf", "parcel %s", "{{steps.charge.output.cents}}"]}}}})";
  if (!from.empty()) text.replace(text.find(from), from.size(), to);
  return parse_flow(text).value();
}

}  // namespace

TEST_CASE("replay: the run of a fixture fits the flow that it ran with", "[lab]") {
  CHECK_THAT(lab::replay(order_42, order()), lab::fits());
  CHECK(lab::replay(order_42, order()).text() == "the run fits the flow");
}

TEST_CASE("replay: a new step behind all others fits and is told", "[lab]") {
  const Flow flow = order(R"("big":)", R"("mail": {"run": "echo", "after": ["ship"]}, "big":)");
  CHECK_THAT(lab::replay(order_42, flow), lab::fits());
  CHECK(lab::replay(order_42, flow).text().find("also: step mail: step_new") != std::string::npos);
}

TEST_CASE("replay: another price, limit, element or order of steps does not fit", "[lab]") {
  CHECK_THAT(lab::replay(order_42, order("420", "430")), !lab::fits());
  CHECK_THAT(lab::replay(order_42, order("[1000,", "[100,")), !lab::fits());
  CHECK_THAT(lab::replay(order_42, order("{{item}}", "{{index}}")), !lab::fits());
  CHECK_THAT(lab::replay(order_42, order(R"("run": "shell",)", R"("run": "mail",)")), !lab::fits());
  const lab::Replay late =
      lab::replay(order_42, order(R"("charge": {)", R"("stock": {"run": "echo", "after": ["big"]},
                                  "charge": {"when": "big", )"));
  CHECK_THAT(late, !lab::fits());
  CHECK(late.text().find("breaks: step charge: record_refused") != std::string::npos);
}

TEST_CASE("replay: a fixture that cannot be read fits nothing and says why", "[lab]") {
  const lab::Replay replay = lab::replay(order_42 + ".gone", order());
  CHECK_THAT(replay, !lab::fits());
  CHECK(replay.text().find("nothing was replayed: ") == 0);
  CHECK(replay.text().find("order-42.fixture.json.gone") != std::string::npos);
}
